"""Physical constants that datasets, readers and pages share."""

STANDARD_GRAVITY = 9.80665  # m s-2: geopotential (m2 s-2) divided by it is geopotential height (m)
