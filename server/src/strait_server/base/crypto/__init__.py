"""Keys, seals, tokens and signatures: everything that must not be guessed or forged.

It knows no table, no request and no setting by name: keys come as arguments,
and no error tells any of them.
"""
