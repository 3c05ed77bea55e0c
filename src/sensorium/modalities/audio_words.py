"""What the page says of sounds."""

from sensorium.modalities.speech_words import SAY

ENGLISH = {
    "name": "sound",
    "names": "sounds",
    "open": "Choose a sound",
    "capture": "Record with the microphone",
    "welcome": "Let me hear something, or ask me to say it.",
    "explain": "I can tell what is heard in a sound, write down what is said, and speak.",
    "try.1": "Say good morning.",
    "try.open": "Add a recording and ask what is said",
    "make": "Speak",
    "make.explain": "Say what you would like to hear. The model makes several attempts and you keep the ones you like.",
    "make.words": "What shall I say?",
    "make.placeholder": "good morning",
    "make.request": SAY,
    "see.explain": "A model does not hear a sound as you do. Short pieces of the sound become numbers, one after the "
    "other. These numbers are all that the model gets.",
    "see.readonly": "These numbers tell the model what is heard, not how it sounds: it cannot be played from them "
    "again.",
    "see.write": "To speak it",
    "say.nothing": "The model said nothing; try again, or say it in other words.",
    "recording": "Recording: {seconds} s",
    "record.done": "Done",
    "record.none": "There is no microphone, or this page may not use it; allow it in the browser, or choose a file.",
    "damaged": "“{name}” cannot be opened as a sound: it may be damaged, or of a kind that browsers do not know. Try a "
    "WAV file.",
}
FRENCH = {
    "name": "son",
    "names": "sons",
    "open": "Choisir un son",
    "capture": "Enregistrer avec le micro",
    "welcome": "Faites-moi entendre quelque chose, ou demandez-moi de le dire.",
    "explain": "Je peux dire ce qu'on entend dans un son, écrire ce qui est dit, et parler.",
    "try.1": "Dis bonjour.",
    "try.open": "Ajouter un enregistrement et demander ce qui est dit",
    "make": "Parler",
    "make.explain": "Dites ce que vous voudriez entendre. Le modèle fait plusieurs essais et vous gardez ceux qui vous "
    "plaisent.",
    "make.words": "Que dois-je dire ?",
    "make.placeholder": "bonjour",
    "make.request": "Dis : {words}.",
    "see.explain": "Un modèle n'entend pas un son comme vous. De courts morceaux du son deviennent des nombres, l'un "
    "après l'autre. Ces nombres sont tout ce que le modèle reçoit.",
    "see.readonly": "Ces nombres disent au modèle ce qu'on entend, pas comment cela sonne : on ne peut pas le rejouer.",
    "see.write": "Pour le dire",
    "say.nothing": "Le modèle n'a rien dit ; réessayez, ou dites-le avec d'autres mots.",
    "recording": "Enregistrement : {seconds} s",
    "record.done": "Terminer",
    "record.none": "Il n'y a pas de micro, ou cette page ne peut pas s'en servir ; autorisez-le dans le navigateur, ou "
    "choisissez un fichier.",
    "damaged": "« {name} » ne s'ouvre pas comme un son : le fichier est peut-être abîmé, ou d'un genre que les "
    "navigateurs ne connaissent pas. Essayez un fichier WAV.",
}
WORDS = {
    "en": ENGLISH,
    "fr": FRENCH,
    "es": {"name": "sonido", "names": "sonidos", "make": "Hablar", "make.request": "Di {words}."},
    "de": {"name": "Klang", "names": "Klänge", "make": "Sprechen", "make.request": "Sage {words}."},
    "it": {"name": "suono", "names": "suoni", "make": "Parlare", "make.request": "Di' {words}."},
}
