//! What must hold for any bytes that come back to the load engine. Shared by the fuzz target and the test that replays its
//! corpus; `framing` is the engine's module of that name.

use super::framing::{Body, head};

/// No panic; a head ends inside of the bytes, and its body means the same in whatever pieces it comes.
pub fn check(bytes: &[u8]) {
    let Some((first, reply)) = bytes.split_first() else { return };
    let is_head_request = first & 1 == 1;
    let Ok(Some(parsed)) = head(reply, is_head_request, first & 2 == 2) else { return };
    assert!(parsed.length <= reply.len(), "a head of {} in {} bytes", parsed.length, reply.len());
    for end in 0..parsed.length.min(64) {
        assert!(!matches!(head(&reply[..end], is_head_request, false), Ok(Some(_))), "a head that ends twice");
    }
    let rest = &reply[parsed.length..];
    let whole = read(parsed.body.clone(), rest, rest.len().max(1));
    for size in [1, 1 + usize::from(first >> 2)] {
        assert_eq!(read(parsed.body.clone(), rest, size), whole, "in pieces of {size}");
    }
}

/// The data, how many bytes were used, and whether it is over; nothing once it is malformed.
fn read(mut body: Body, bytes: &[u8], piece: usize) -> Option<(Vec<u8>, usize, bool)> {
    let (mut data, mut used) = (Vec::new(), 0);
    while used < bytes.len() && !body.is_over() {
        let end = bytes.len().min(used + piece);
        let taken = body.take(&bytes[used..end], &mut |bytes| data.extend_from_slice(bytes)).ok()?;
        assert!(taken > 0 && taken <= end - used, "took {taken} of {}", end - used);
        used += taken;
    }
    Some((data, used, body.is_over()))
}
