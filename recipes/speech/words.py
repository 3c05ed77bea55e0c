"""Words that sentences are made of, in English and Spanish.

Verbs stand in the past tense, where subjects do not change them; Spanish adjectives are given for both genders.
"""

from __future__ import annotations

CARRIERS = {
    "en": (
        "{a}", "{a}", "{bare}", "draw {a}", "show me {a}", "I see {a}", "this is {a}", "where is {the}?",
        "it looks like {a}", "is this {a}?", "do you know {the}?", "here comes {a}", "I would like {a}",
        "can you find {the}?", "there is {a} here", "a picture of {a}", "what colour is {the}?", "she gave me {a}",
        "look, {a}!", "we need {a} for the story", "the word is {bare}", "paint {a} for me, please", "who took {the}?",
        "this song is about {a}",
    ),
    "es": (
        "{bare}", "{bare}", "dibuja: {bare}", "enséñame: {bare}", "esto es: {bare}", "la palabra es {bare}",
        "aquí se ve: {bare}", "busca en la imagen: {bare}", "parece: {bare}", "¿conoces esto: {bare}?",
        "quiero un dibujo: {bare}", "mira, {bare}", "la respuesta es {bare}", "hablamos de: {bare}",
    ),
}  # fmt: skip

SAID = {
    "en": (
        "hello", "good morning", "good evening", "good night", "how are you?", "thank you very much", "yes, please",
        "no, thanks", "what is this?", "who are you?", "what can you do?", "where are you from?", "what time is it?",
        "see you tomorrow", "I do not know", "that is a good idea", "please say it again", "I am sorry",
        "open the door", "close the window", "turn on the light", "I am hungry", "it is raining outside",
        "the sun is shining", "what does it mean?", "how much does it cost?", "wait a moment, please",
        "let us go home", "have a nice day", "I like this very much", "this is too difficult", "could you help me?",
        "come here", "be careful", "never mind", "it is very cold today", "we are late again",
        "nobody knows the answer", "everything is fine", "happy birthday", "what do you see?", "what did you hear?",
        "tell me more about it", "read it to me", "is anybody there?",
    ),
    "es": (
        "hola", "buenos días", "buenas tardes", "buenas noches", "¿cómo estás?", "muchas gracias", "sí, por favor",
        "no, gracias", "¿qué es esto?", "¿quién eres?", "¿qué sabes hacer?", "¿de dónde eres?", "¿qué hora es?",
        "hasta mañana", "no lo sé", "es una buena idea", "dilo otra vez, por favor", "lo siento", "abre la puerta",
        "cierra la ventana", "enciende la luz", "tengo hambre", "está lloviendo", "hace sol", "¿qué significa?",
        "¿cuánto cuesta?", "espera un momento", "vamos a casa", "que tengas un buen día", "me gusta mucho",
        "es demasiado difícil", "¿puedes ayudarme?", "ven aquí", "ten cuidado", "no importa", "hoy hace mucho frío",
        "llegamos tarde otra vez", "nadie sabe la respuesta", "todo está bien", "feliz cumpleaños", "¿qué ves?",
        "¿qué has oído?", "cuéntame más", "léemelo", "¿hay alguien ahí?",
    ),
}  # fmt: skip

SUBJECTS = {
    "en": (
        "the boy", "my sister", "an old man", "the teacher", "our neighbour", "the children", "she", "he", "they",
        "we", "the doctor", "my father", "her brother", "a young woman", "the farmer", "somebody", "your friend",
        "the captain", "the baker", "his daughter", "the king", "a stranger", "the girls", "my uncle", "I",
    ),
    "es": (
        "el niño", "mi hermana", "un hombre viejo", "la maestra", "nuestro vecino", "ella", "él", "el médico",
        "mi padre", "su hermano", "una mujer joven", "el campesino", "alguien", "tu amigo", "el capitán",
        "la panadera", "su hija", "el rey", "un desconocido", "mi tío", "la abuela",
    ),
}  # fmt: skip
VERBS = {
    "en": (
        "saw", "found", "bought", "lost", "painted", "carried", "wanted", "forgot", "broke", "hid", "brought", "sold",
        "cleaned", "opened", "took", "left", "watched", "needed", "liked", "moved", "made", "borrowed", "dropped",
    ),
    "es": (
        "vio", "encontró", "compró", "perdió", "pintó", "llevó", "quería", "olvidó", "rompió", "escondió", "trajo",
        "vendió", "limpió", "abrió", "tomó", "dejó", "miró", "necesitaba", "movió", "hizo", "pidió",
    ),
}  # fmt: skip
THINGS = {
    "en": (
        "box", "letter", "chair", "table", "lamp", "book", "bottle", "cup", "coat", "hat", "shoe", "ball", "picture",
        "horse", "dog", "cat", "bird", "fish", "apple", "cake", "garden", "window", "door", "bag", "boat", "bicycle",
        "car", "map", "mirror", "blanket", "basket", "stone", "tree", "flower", "ring", "watch", "coin", "shirt",
        "spoon", "knife", "bridge", "tower", "wheel", "ladder", "candle", "brush", "pencil", "river", "machine",
        "island",
    ),
    "es": (
        "una caja", "una carta", "una silla", "una mesa", "una lámpara", "un libro", "una botella", "una taza",
        "un abrigo", "un sombrero", "un zapato", "una pelota", "un cuadro", "un caballo", "un perro", "un gato",
        "un pájaro", "un pez", "una manzana", "un pastel", "un jardín", "una ventana", "una puerta", "un bolso",
        "un barco", "una bicicleta", "un coche", "un mapa", "un espejo", "una manta", "una cesta", "una piedra",
        "un árbol", "una flor", "un anillo", "un reloj", "una moneda", "una camisa", "una cuchara", "un cuchillo",
        "un puente", "una torre", "una rueda", "una escalera", "una vela", "un lápiz", "un río", "una máquina",
    ),
}  # fmt: skip
QUALITIES = {
    "en": (
        "red", "blue", "green", "yellow", "black", "white", "brown", "grey", "orange", "purple", "pink", "big",
        "small", "old", "new", "long", "heavy", "round", "beautiful", "broken", "empty", "strange", "golden", "wooden",
        "dark",
    ),
    "es": (
        "rojo/roja", "azul", "verde", "amarillo/amarilla", "negro/negra", "blanco/blanca", "marrón", "gris", "naranja",
        "morado/morada", "rosa", "grande", "pequeño/pequeña", "viejo/vieja", "nuevo/nueva", "largo/larga",
        "redondo/redonda", "bonito/bonita", "roto/rota", "vacío/vacía", "extraño/extraña", "brillante",
    ),
}  # fmt: skip
PLACES = {
    "en": (
        "in the kitchen", "under the table", "near the river", "on the roof", "behind the house", "at the station",
        "in the garden", "next to the window", "between two trees", "in front of the school", "at the market",
        "above the door", "on the beach", "in the old town", "by the fire", "across the street", "in a quiet village",
        "on the left", "on the right", "at the top of the hill", "inside a drawer", "far away from here",
    ),
    "es": (
        "en la cocina", "debajo de la mesa", "cerca del río", "en el tejado", "detrás de la casa", "en la estación",
        "en el jardín", "al lado de la ventana", "entre dos árboles", "delante de la escuela", "en el mercado",
        "encima de la puerta", "en la playa", "en la ciudad vieja", "junto al fuego", "a la izquierda", "a la derecha",
        "en lo alto de la colina", "dentro de un cajón", "muy lejos de aquí",
    ),
}  # fmt: skip
TIMES = {
    "en": (
        "yesterday", "this morning", "last week", "on Monday", "on Friday", "at night", "in the summer",
        "two days ago", "after lunch", "before the storm", "a long time ago", "just now", "in the evening",
        "every winter",
    ),
    "es": (
        "ayer", "esta mañana", "la semana pasada", "el lunes", "el viernes", "por la noche", "en verano",
        "hace dos días", "después de comer", "antes de la tormenta", "hace mucho tiempo", "ahora mismo",
        "por la tarde", "en invierno",
    ),
}  # fmt: skip

NAME_QUESTIONS = {"en": ("what is this?", "what do you see?"), "es": ("¿qué es esto?", "¿qué ves?")}
"""What a picture may be asked aloud."""

REPLIES = {
    "en": {
        "Hello! Show me a picture, say something, or ask me to draw.": ("hello", "good morning", "good evening"),
        "I name pictures and what I hear, and I draw and speak.": ("what can you do?", "could you help me?"),
        "I am a very small model that sees, hears, draws and speaks.": ("who are you?",),
        "You are welcome.": ("thank you very much",),
        "Fine, thank you.": ("how are you?",),
        "Good night!": ("good night", "see you tomorrow"),
    },
    "es": {
        "¡Hola! Enséñame una imagen o dime algo.": ("hola", "buenos días", "buenas tardes"),
        "Nombro imágenes y lo que oigo, dibujo y hablo.": ("¿qué sabes hacer?", "¿puedes ayudarme?"),
        "Soy un modelo muy pequeño que ve, oye, dibuja y habla.": ("¿quién eres?",),
        "De nada.": ("muchas gracias",),
        "Bien, gracias.": ("¿cómo estás?",),
        "¡Buenas noches!": ("buenas noches", "hasta mañana"),
    },
}
"""What is answered to what is asked or said aloud, by language."""
