//! Any bytes at all where an image is expected: nothing panics, and what is read reads back. The fuzz target in `fuzz/` calls the same
//! function.

use endpoints::vendor::firmware::{HEAD_LEN, HEADER_LEN, MAX_IMAGE, head};

/// A head is one, or not.
pub(crate) fn firmware_head(input: &[u8]) {
    let Some(Ok(bytes)) = input.get(..HEAD_LEN).map(<[u8; HEAD_LEN]>::try_from) else { return };
    let Ok((header, signed, signature)) = head(&bytes) else { return };
    assert!((1..=MAX_IMAGE).contains(&header.length));
    assert_eq!(signed[24..], bytes[..HEADER_LEN]);
    assert_eq!(signature[..], bytes[HEADER_LEN..]);
    assert!(header.words.as_str().len() <= 28 && header.fits.target.as_str().len() <= 16);
    let mut again = [0; HEADER_LEN];
    header.encode(&mut again).expect("the header's length");
    assert_eq!(again, bytes[..HEADER_LEN]);
}
