"""Names of the head's regions that are skin; other heads take them over."""

SKIN_REGIONS = (
    "face",
    "scalp",
    "neck",
    "nose",
    "nostrils",
    "ears",
    "eyelids",
    "upper_lip",
    "lower_lip",
    "inner_mouth",
)
