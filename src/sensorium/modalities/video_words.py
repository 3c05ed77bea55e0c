"""What the page says of clips, by language and key (docs/page.md lists the keys)."""

VIDEO = {
    "en": {
        "name": "clip",
        "names": "clips",
        "open": "Choose a clip",
        "welcome": "Show me a clip, or ask for one.",
        "explain": "I can say what moves in a clip, where to and when, and make short clips from your words.",
        "try.open": "Add a clip and ask what happens",
        "make": "Film",
        "make.words": "What shall happen?",
        "make.placeholder": "a red ball moves left",
        "make.request": "Make a clip: {words}.",
        "see.explain": "A model does not see a clip as you do. A few moments of it are taken, each becomes a time and "
        "a few numbers.",
        "see.readonly": "These few numbers tell the model what is to be seen when, not how it looks: no clip can be "
        "made from them again.",
        "play": "Play",
        "pause": "Pause",
        "moment": "Moment",
        "damaged": "This browser cannot play the clip; download it instead.",
    },
    "fr": {
        "name": "clip",
        "names": "clips",
        "open": "Choisir un clip",
        "welcome": "Montrez-moi un clip, ou demandez-en un.",
        "explain": "Je peux dire ce qui bouge dans un clip, vers où et quand, et en faire de courts d'après vos mots.",
        "try.open": "Ajouter un clip et demander ce qui se passe",
        "make": "Filmer",
        "make.words": "Que doit-il se passer ?",
        "make.placeholder": "une balle rouge va vers la gauche",
        "make.request": "Fais un clip : {words}.",
        "see.explain": "Un modèle ne voit pas un clip comme vous. On en prend quelques moments, chacun devient un "
        "temps et quelques nombres.",
        "see.readonly": "Ces quelques nombres disent au modèle ce qu'il y a à voir et quand, pas comment c'est fait : "
        "on ne peut pas en refaire un clip.",
        "play": "Lire",
        "pause": "Pause",
        "moment": "Moment",
        "damaged": "Ce navigateur ne peut pas lire le clip ; téléchargez-le plutôt.",
    },
    "es": {"name": "clip", "names": "clips", "make": "Filmar", "make.request": "Haz un clip: {words}."},
    "de": {"name": "Clip", "names": "Clips", "make": "Filmen", "make.request": "Mach einen Clip: {words}."},
    "it": {"name": "clip", "names": "clip", "make": "Filmare", "make.request": "Fai un clip: {words}."},
}
