"""The words that the synthetic catalog is described with: departments, their categories, adjectives, tags."""

from __future__ import annotations

from bench_datasets.synthetic_users import DEPARTMENT

DEPARTMENTS: dict[str, tuple[str, ...]] = {
    "Living room": ("lamp", "sofa", "cushion", "rug", "curtain", "bookcase", "armchair", "clock", "vase", "candle"),
    "Kitchen": ("knife", "pan", "kettle", "toaster", "grinder", "teapot", "mug", "whisk", "scale", "casserole"),
    "Bedroom": ("pillow", "duvet", "mattress", "blanket", "closet", "nightstand", "mirror", "hanger", "quilt", "sheet"),
    "Bathroom": ("towel", "soap", "shower head", "bath mat", "brush", "razor", "basin", "flannel", "robe", "sponge"),
    "Garden": ("spade", "rake", "hose", "planter", "lantern", "parasol", "hammock", "birdhouse", "seedling", "bench"),
    "Tools": ("hammer", "drill", "saw", "spanner", "ladder", "toolbox", "chisel", "clamp", "sander", "level"),
    "Sports": ("racket", "football", "yoga mat", "dumbbell", "skateboard", "helmet", "whistle", "dart", "ski", "puck"),
    "Outdoor": ("tent", "sleeping bag", "backpack", "compass", "flask", "stove", "headlamp", "rope", "map", "kayak"),
    "Cycling": ("saddle", "bell", "pump", "pannier", "lock", "pedal", "tyre", "chain", "jersey", "handlebar"),
    "Music": ("guitar", "violin", "drum", "flute", "piano", "cello", "harp", "ukulele", "trumpet", "music stand"),
    "Audio": ("headset", "stereo", "amplifier", "microphone", "radio", "soundbar", "earbud", "cable", "mixer", "tuner"),
    "Photo": ("camera", "lens", "tripod", "flash", "filter", "album", "frame", "projector", "light box", "strap"),
    "Computing": ("keyboard", "mouse", "monitor", "laptop", "router", "webcam", "printer", "scanner", "drive", "hub"),
    "Games": ("board game", "puzzle", "model kit", "dice", "chess set", "card", "console", "joystick", "kite", "disc"),
    "Toys": ("teddy", "doll", "train set", "block", "marble", "yo-yo", "puppet", "rocking horse", "ball", "robot"),
    "Clothing": ("shirt", "coat", "scarf", "sock", "jumper", "skirt", "belt", "hat", "cardigan", "dress"),
    "Shoes": ("boot", "sandal", "trainer", "slipper", "clog", "loafer", "heel", "lace", "insole", "wader"),
    "Jewellery": ("ring", "bracelet", "locket", "earring", "brooch", "watch", "pendant", "cufflink", "anklet", "tiara"),
    "Stationery": ("notebook", "pen", "pencil", "eraser", "stapler", "calendar", "ruler", "folder", "inkwell", "stamp"),
    "Food": ("coffee", "tea", "chocolate", "honey", "olive oil", "spice", "biscuit", "jam", "pasta", "cheese"),
}  # fmt: skip

ADJECTIVES = (
    "Cosy", "Sturdy", "Elegant", "Compact", "Bright", "Quiet", "Classic", "Modern", "Rustic", "Playful", "Slender",
    "Robust", "Soft", "Smart", "Simple", "Royal", "Nordic", "Vintage", "Handy", "Light", "Bold", "Gentle", "Fresh",
    "Noble", "Swift", "Warm", "Plain", "Grand", "Neat", "Merry", "Silver", "Golden",
)  # fmt: skip

TAGS = (
    "handmade", "organic", "recycled", "imported", "limited", "gift", "premium", "budget", "oak", "steel", "cotton",
    "leather", "glass", "ceramic", "wool", "bamboo", "red", "blue", "green", "black", "white", "yellow", "summer",
    "winter", "travel", "family", "office", "party", "foldable", "waterproof", "wireless", "washable",
)  # fmt: skip

REGIONS = ("North", "North-East", "East", "South-East", "South", "South-West", "West", "North-West")
AGE_GROUPS = ("under 18", "18-24", "25-34", "35-44", "45-54", "55 and over")


def department_name(department: int) -> str:
    """The name of the department of that number: "Kitchen", and, when the words have run out, "Kitchen 2"."""
    again, word = divmod(department, len(DEPARTMENTS))
    return _numbered(tuple(DEPARTMENTS)[word], again)


def category_noun(category: int) -> str:
    """What the items of the category of that number are: "knife", and, when the words have run out, "knife 2"."""
    department, within = divmod(category, DEPARTMENT)
    again, word = divmod(department, len(DEPARTMENTS))
    return _numbered(tuple(DEPARTMENTS.values())[word][within], again)


def _numbered(word: str, again: int) -> str:
    return word if again == 0 else f"{word} {again + 1}"
