"""Changes what an installation signs with, and whom it believes: files of its folders `keys` and `trust`.

- A new signing key is trusted before it is used, and takes the place of the old one whole: there is one at any moment.
- The old private key is gone then. Its public half stays trusted until it is taken out: what it signed is still loaded.
- Whom the trust store believes is read anew for each release that is loaded; so a key that is taken out is out at once
  for all that is not loaded yet, and for nothing that is.
"""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lockgate.kernel.errors import Refused
from lockgate.kernel.folders import StateFolder, replace_file
from lockgate.packages.signing import Trust, key_id, public_key, public_pem, signing_key

__all__ = ["distrust_key", "renew_key", "signing_key_id", "trust_key"]


def signing_key_id(state: StateFolder) -> str:
    """Give the id of the key that an installation signs with.

    Raises:
        NotFound: there is none.
        Malformed: it is none.
    """
    return key_id(signing_key(state.signing_key).public_key())


def renew_key(state: StateFolder) -> str:
    """Make another signing key and put it in the place of the one that is there; give its id."""
    key = Ed25519PrivateKey.generate()
    replace_file(state.public_key(key_id(key.public_key())), public_pem(key.public_key()))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    replace_file(state.signing_key, private, mode=0o600)
    return key_id(key.public_key())


def trust_key(state: StateFolder, pem: bytes) -> str:
    """Believe what a key signed, by its public half; one that is believed already stays so. Give its id.

    Raises:
        Refused: it is a private key.
        Malformed: it is no public key.
    """
    if b"PRIVATE KEY" in pem:
        msg = "This is a private key, and nothing was done with it"
        hint = "Whoever has it can sign in its owner's name. Ask for what lockgate key show prints."
        raise Refused(msg, expected="PEM of a public key", found="a private key", way_out=hint)
    key = public_key(pem, "What was given")
    found = key_id(key)
    if found not in Trust.read(state.trust).keys:
        replace_file(state.public_key(found), public_pem(key))
    return found


def distrust_key(state: StateFolder, key: str) -> None:
    """Take a key out of the trust store, under whatever names its files have."""
    for path in sorted(state.trust.glob("*.pub")):
        if key in Trust.of([path]).keys:
            path.unlink()
