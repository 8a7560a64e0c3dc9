"""Blobs in a bucket: S3, and whatever speaks its language.

- `s3://bucket/prefix`. How to reach it comes from the environment, by the names that every client of S3 knows
  (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL, AWS_ALLOW_HTTP); none of it is in a URL.
- The bucket has to be there. Whether it is, is asked when the blobs are opened, before anything relies on it.
- A blob is created on condition that none is there. A large file goes up in parts, which become visible together.
- A request that fails for reasons of the network is tried again, for half a minute at most.
"""

from datetime import timedelta
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import S3Store

from lockgate.kernel.errors import Invalid, Unavailable
from lockgate.ledger.blobs import ObjectBlobs

__all__ = ["s3_blobs"]

_EXPECTED = "s3://bucket/prefix"
_RETRIES = 5
_PATIENCE = timedelta(seconds=30)

# What the store says: the way out. The first that fits.
_WAYS_OUT = {
    "403 Forbidden": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of somebody who may read, write and list there.",
    "NoSuchBucket": "Make the bucket first, or name another one.",
    "404 Not Found": "Make the bucket first, or name another one.",
    "301 Moved": "Set AWS_REGION to the region that the bucket is in.",
    "400 Bad Request": "Set AWS_REGION to the region that the bucket is in, and look at the credentials.",
    "169.254.169.254": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    "builder error": "Does AWS_ENDPOINT_URL begin with https://? For http:// set AWS_ALLOW_HTTP=true.",
    "error sending request": "Is the server running, and is AWS_ENDPOINT_URL right? Then try again.",
    "": "Try again.",
}


def s3_blobs(url: str) -> ObjectBlobs:
    """Open the blobs in a bucket.

    Raises:
        Invalid: the URL names no bucket, or carries what belongs into the environment.
        Unavailable: it can't be reached, or there is no such bucket.
    """
    bucket, prefix = _place(url)
    where = f"s3://{bucket}/{prefix}".rstrip("/")
    retries = {"max_retries": _RETRIES, "retry_timeout": _PATIENCE}
    try:
        store = S3Store(bucket, prefix=prefix or None, retry_config=retries)  # type: ignore[arg-type]
        # Asked for its folders at the top, of which there is one: cheap, and nothing is written to find out.
        store.list_with_delimiter()
    except (BaseError, OSError, ValueError) as error:
        raise Unavailable(
            f"Cannot open the blobs in {where}",
            expected="a bucket that can be reached",
            found=str(error).partition("\n")[0],
            way_out=way_out(str(error)),
        ) from error
    return ObjectBlobs(store, where=where, way_out=way_out)


def way_out(said: str) -> str:
    """Give the way out of what a store said."""
    return next(way for words, way in _WAYS_OUT.items() if words in said)


def _place(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query:
        # Not shown: it may be a secret.
        raise Invalid(
            "Credentials and options do not belong into the URL of a bucket",
            expected=_EXPECTED,
            found="more than that",
            way_out="Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL and the like instead.",
        )
    prefix = parts.path.strip("/")
    if (
        not parts.hostname
        or ":" in parts.netloc
        or any(part in {"", ".", ".."} for part in prefix.split("/") if prefix)
    ):
        raise Invalid(f"No blobs can be opened at {url}", expected=_EXPECTED, found=url)
    return parts.netloc, prefix
