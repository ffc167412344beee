"""Texts that a student of English cannot read, written for this: it has to learn that it does not understand them.

In other scripts every word is one unknown piece, so what matters is how many there are.
"""

from __future__ import annotations

from .texts import Utterance

OTHER_SCRIPTS = (
    "привет", "включи свет", "какая завтра погода", "поставь будильник на семь часов", "сколько стоит билет до москвы сегодня",
    "где моя машина", "спасибо", "позвони маме пожалуйста", "καλημέρα", "τι ώρα είναι", "άναψε το φως στην κουζίνα παρακαλώ",
    "πού είναι το αυτοκίνητο", "ευχαριστώ πολύ", "شكرا", "ما هي حالة الطقس", "أين سيارتي الآن", "أطفئ الضوء في المطبخ من فضلك",
    "שלום", "מה מזג האוויר מחר", "תדליק את האור במטבח", "איפה הרכב שלי", "नमस्ते", "आज मौसम कैसा है", "रसोई की बत्ती जलाओ",
    "मेरी गाड़ी कहाँ है अभी", "สวัสดี", "เปิดไฟในครัว", "วันนี้อากาศเป็นอย่างไร", "你好", "今天天气怎么样", "打开厨房的灯", "我的车在哪里",
    "谢谢", "こんにちは", "今日の天気は", "台所の電気をつけて", "車はどこですか", "안녕하세요", "오늘 날씨 어때", "부엌 불 켜 줘", "გამარჯობა",
    "ինչ եղանակ է", "ዛሬ አየሩ እንዴት ነው",
)  # fmt: skip
OTHER_LANGUAGES = (
    "guten morgen", "wie weit reicht der akku", "mach das licht in der küche aus", "wo habe ich geparkt", "wie wird das wetter morgen",
    "stell den wecker auf sieben uhr", "ist das haus warm", "wann muss ich los", "komme ich noch nach hause", "danke schön",
    "bonjour", "allume la lumière de la cuisine", "où est ma voiture", "quel temps fera-t-il demain", "mets un réveil à sept heures",
    "merci beaucoup", "buenos días", "apaga la luz de la cocina", "dónde está mi coche", "qué tiempo hará mañana", "gracias",
    "buongiorno", "accendi la luce in cucina", "dove ho parcheggiato", "che tempo fa domani", "grazie mille", "bom dia",
    "hyvää huomenta", "sytytä keittiön valo", "missä autoni on", "god morgon", "tänd lampan i köket", "dzień dobry", "goedemorgen",
    "doe het licht in de keuken uit", "günaydın", "mutfak ışığını aç",
)  # fmt: skip


def strange() -> list[Utterance]:
    """All of them, without a label: the teacher finds none likely."""
    return [Utterance(text) for text in (*OTHER_SCRIPTS, *OTHER_LANGUAGES)]
