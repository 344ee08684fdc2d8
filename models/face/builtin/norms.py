"""Published sizes of adult heads, in millimetres (angles in degrees), that the built-in head is placed by.

Source: L. G. Farkas, Anthropometry of the Head and Face, 2nd ed., Raven Press 1994, young North American
adults; each number is our rounded middle between the means for women and men, `SPREAD` a rounded standard
deviation. They were entered from memory of the tables, without the book at hand: a millimetre may be off.

Names are the usual landmark pairs: n nasion, sn subnasale, sto stomion, gn gnathion, zy zygion, go gonion,
eu eurion, g glabella, op opisthocranion, v vertex, en and ex the inner and outer canthus, ps and pi the upper
and lower lid, al alare, prn pronasale, ch cheilion, ls and li the lip borders, sa and sba the top and bottom
of the ear, pra and pa its front and back, pg pogonion.

Angles: nasofrontal (g-n and the bridge), nasolabial (columella and upper lip), convexity (g-sn-pg, after H.L.
Legan and C. J. Burstone, J. Oral Surg. 1980: 12 degrees off straight). `neck` is the girth under the larynx,
between what surveys such as ANSUR give for women and men. All from memory, as above.
"""

from __future__ import annotations

NORMS: dict[str, float] = {
    "n-gn": 117.0,
    "n-sn": 52.0,
    "sn-gn": 67.0,
    "sn-sto": 21.0,
    "sto-gn": 46.0,
    "zy-zy": 134.0,
    "go-go": 100.0,
    "eu-eu": 148.0,
    "g-op": 191.0,
    "v-gn": 223.0,
    "en-en": 32.5,
    "ex-ex": 89.5,
    "ps-pi": 10.8,
    "al-al": 33.0,
    "sn-prn": 19.6,
    "ch-ch": 52.0,
    "ls-sto": 8.3,
    "sto-li": 9.4,
    "sa-sba": 61.0,
    "pra-pa": 34.5,
    "neck": 355.0,
    "nasofrontal": 132.0,
    "nasolabial": 102.0,
    "convexity": 168.0,
}

SPREAD: dict[str, float] = {
    "n-gn": 6.5,
    "n-sn": 3.3,
    "sn-gn": 5.0,
    "sn-sto": 2.1,
    "sto-gn": 4.0,
    "zy-zy": 5.5,
    "go-go": 6.0,
    "eu-eu": 6.0,
    "g-op": 7.0,
    "v-gn": 9.0,
    "en-en": 2.5,
    "ex-ex": 4.0,
    "ps-pi": 1.2,
    "al-al": 2.3,
    "sn-prn": 1.9,
    "ch-ch": 3.5,
    "ls-sto": 1.4,
    "sto-li": 1.5,
    "sa-sba": 3.7,
    "pra-pa": 2.5,
    "neck": 28.0,
    "nasofrontal": 7.0,
    "nasolabial": 9.0,
    "convexity": 4.5,
}


def half(pair: str) -> float:
    """Half of a norm in centimetres: the sideways place of one of a pair."""
    return NORMS[pair] / 20.0
