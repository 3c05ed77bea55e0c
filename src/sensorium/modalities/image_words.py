"""What the page says of pictures."""

ENGLISH = {
    "name": "picture",
    "names": "pictures",
    "open": "Choose a picture",
    "capture": "Take a photo",
    "welcome": "Show me a picture, or ask for one.",
    "explain": "I can say what is in a picture, answer questions about it, and draw from your words.",
    "try.1": "Draw a red heart.",
    "try.2": "Draw a cat.",
    "try.open": "Add a picture and ask what it is",
    "make": "Draw",
    "make.explain": "Say what you would like to see. The model makes several attempts and you keep the ones you like.",
    "make.words": "What shall I draw?",
    "make.placeholder": "a red heart",
    "make.request": "Draw {words}.",
    "see.explain": "A model does not see a picture as you do. The picture is cut into a few pieces, and each piece "
    "becomes a number. These numbers are all that the model gets.",
    "see.readonly": "These few numbers tell the model what is to be seen, not how it looks: no picture can be made "
    "from them again.",
    "see.write": "To draw it",
    "enlarge": "Show large",
    "shoot": "Take the photo",
    "damaged": "“{name}” cannot be opened as a picture: it may be damaged, or of a kind that browsers do not know. "
    "Try a PNG or JPEG file.",
}
FRENCH = {
    "name": "image",
    "names": "images",
    "open": "Choisir une image",
    "capture": "Prendre une photo",
    "welcome": "Montrez-moi une image, ou demandez-en une.",
    "explain": "Je peux dire ce qu'il y a sur une image, répondre à des questions, et dessiner d'après vos mots.",
    "try.1": "Dessine : un cœur rouge.",
    "try.2": "Dessine : un chat.",
    "try.open": "Ajouter une image et demander ce que c'est",
    "make": "Dessiner",
    "make.explain": "Dites ce que vous voudriez voir. Le modèle fait plusieurs essais et vous gardez ceux qui vous "
    "plaisent.",
    "make.words": "Que dois-je dessiner ?",
    "make.placeholder": "un cœur rouge",
    "make.request": "Dessine : {words}.",
    "see.explain": "Un modèle ne voit pas une image comme vous. L'image est découpée en quelques morceaux, et chaque "
    "morceau devient un nombre. Ces nombres sont tout ce que le modèle reçoit.",
    "see.readonly": "Ces quelques nombres disent au modèle ce qu'il y a à voir, pas comment c'est fait : on ne peut "
    "pas en refaire une image.",
    "see.write": "Pour la dessiner",
    "enlarge": "Agrandir",
    "shoot": "Prendre la photo",
    "damaged": "« {name} » ne s'ouvre pas comme une image : le fichier est peut-être abîmé, ou d'un genre que les "
    "navigateurs ne connaissent pas. Essayez un fichier PNG ou JPEG.",
}
WORDS = {"en": ENGLISH, "fr": FRENCH}
