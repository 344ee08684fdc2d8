"""Speech whose phone times are known, made offline from engines and voices that Linux distributions ship."""
