"""Changes what an installation signs with, and whom it believes: files of its folders `keys` and `trust`.

- A new signing key is trusted before it is used, and takes the place of the old one whole: there is one at any moment.
- The old private key is gone then. Its public half stays trusted until it is taken out: what it signed is still loaded.
- Files are named after keys, and after nothing that anybody says.
- Whom the trust store believes is read anew for each release that is loaded; so a key that is taken out is out at once
  for all that is not loaded yet, and for nothing that is.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lockgate.kernel.folders import StateFolder, replace_file
from lockgate.packages.signing import Trust, key_id, public_pem, signing_key

__all__ = ["distrust_key", "put_signing_key", "signing_key_id", "trust_key"]


def signing_key_id(state: StateFolder) -> str:
    """Give the id of the key that an installation signs with.

    Raises:
        NotFound: there is none.
        Malformed: it is none.
    """
    return key_id(signing_key(state.signing_key).public_key())


def put_signing_key(state: StateFolder, key: Ed25519PrivateKey) -> None:
    """Put a signing key in the place of the one that is there."""
    trust_key(state, key.public_key())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    replace_file(state.signing_key, private, mode=0o600)


def trust_key(state: StateFolder, key: Ed25519PublicKey) -> None:
    """Believe what a key signed; one that is believed already stays so, under whatever name its file has."""
    if key_id(key) not in Trust.read(state.trust).keys:
        replace_file(state.public_key(key_id(key)), public_pem(key))


def distrust_key(state: StateFolder, key: str) -> None:
    """Take a key out of the trust store, under whatever names its files have."""
    for path in sorted(state.trust.glob("*.pub")):
        if key in Trust.of([path]).keys:
            path.unlink()
