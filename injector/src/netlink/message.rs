//! The bytes of netlink: headers, attributes, nests.
//!
//! An attribute's length leaves out its padding to four bytes, a nest's length holds the padding of its children. Headers
//! and lengths are in the host's order; what is inside depends on the subsystem (nf_tables: big endian, tc: the host's).

/// `NLA_F_NESTED`: required by no kernel that is around, set by all programs for nf_tables.
const NESTED: u16 = 0x8000;
/// What is left of an attribute's type without its flags.
const TYPE: u16 = 0x3fff;
/// Bytes of `struct nlmsghdr`.
const HEADER: usize = 16;

/// One or more messages, as they are sent.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Message(Vec<u8>);

impl Message {
    /// The bytes so far.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Forgets them, and keeps their room.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Appends a message: its header, then `head` (the subsystem's own struct), then what `attributes` adds.
    pub fn push(&mut self, kind: u16, flags: u16, sequence: u32, head: &[u8], attributes: impl FnOnce(&mut Self)) {
        let at = self.0.len();
        self.0.extend([0; 4]);
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(flags.to_ne_bytes());
        self.0.extend(sequence.to_ne_bytes());
        // The port id: the kernel knows whom it answers.
        self.0.extend([0; 4]);
        self.0.extend(head);
        attributes(self);
        let length = u32::try_from(self.0.len() - at).expect("messages of this crate are some hundred bytes long");
        self.0[at..at + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// An attribute.
    pub fn attribute(&mut self, kind: u16, data: &[u8]) {
        let length = u16::try_from(4 + data.len()).expect("attributes of this crate are some dozen bytes long");
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(data);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// An attribute that holds others.
    pub fn nest(&mut self, kind: u16, children: impl FnOnce(&mut Self)) {
        self.nest_after(kind | NESTED, &[], children);
    }

    /// The same as tc has it: no flag, and a struct in front of the children.
    pub fn nest_after(&mut self, kind: u16, lead: &[u8], children: impl FnOnce(&mut Self)) {
        let at = self.0.len();
        self.attribute(kind, lead);
        children(self);
        let length = u16::try_from(self.0.len() - at).expect("nests of this crate are some hundred bytes long");
        self.0[at..at + 2].copy_from_slice(&length.to_ne_bytes());
    }

    /// What another one holds.
    pub fn append(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }

    /// A number of 32 bits, big endian.
    pub fn be32(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_be_bytes());
    }

    /// A number of 64 bits, big endian.
    pub fn be64(&mut self, kind: u16, value: u64) {
        self.attribute(kind, &value.to_be_bytes());
    }

    /// A name, with the zero byte at its end.
    pub fn name(&mut self, kind: u16, name: &str) {
        self.attribute(kind, &[name.as_bytes(), b"\0"].concat());
    }
}

/// A message that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<'a> {
    /// Which message.
    pub kind: u16,
    /// Of the request that it answers.
    pub sequence: u32,
    /// The subsystem's struct and the attributes.
    pub body: &'a [u8],
}

/// The messages of a datagram. What is cut off at its end is left out.
pub fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Received<'_>> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*datagram.first_chunk()?) as usize;
        let kind = u16::from_ne_bytes(*datagram.get(4..)?.first_chunk()?);
        let sequence = u32::from_ne_bytes(*datagram.get(8..)?.first_chunk()?);
        let body = datagram.get(HEADER..length)?;
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some(Received { kind, sequence, body })
    })
}

/// Kind and data of each attribute; of nests, their children's bytes.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let kind = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?) & TYPE;
        let data = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind, data))
    })
}

/// The first attribute of this kind.
pub fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(found, _)| *found == kind).map(|(_, data)| data)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn padding_counts_for_a_nest_and_not_for_an_attribute() {
        let mut message = Message::default();
        message.push(7, 1, 42, &[9; 4], |message| {
            message.nest(3, |message| message.name(1, "abc"));
            message.attribute(2, &[5]);
        });
        let bytes = message.bytes();
        assert_eq!(bytes.len(), 16 + 4 + (4 + 4 + 4) + 8);
        let Received { kind, sequence, body } = messages(bytes).next().unwrap();
        assert_eq!((kind, sequence, &body[..4]), (7, 42, &[9_u8; 4][..]));
        assert_eq!(find(find(&body[4..], 3).unwrap(), 1), Some(&b"abc\0"[..]));
        assert_eq!(find(&body[4..], 2), Some(&[5_u8][..]));
    }

    #[test]
    fn a_datagram_that_was_cut_ends_where_it_was_cut() {
        let mut message = Message::default();
        message.push(1, 0, 1, &[], |message| message.be32(1, 7));
        message.push(2, 0, 2, &[], |message| message.be64(1, 7));
        let bytes = message.bytes();
        for end in 0..bytes.len() {
            let whole = messages(&bytes[..end]).count();
            assert_eq!(whole, usize::from(end >= 24), "{end} of {} bytes", bytes.len());
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(all in prop::collection::vec((0..TYPE, prop::collection::vec(any::<u8>(), 0..40)), 0..12)) {
            let mut message = Message::default();
            message.push(1, 0, 1, &[], |message| all.iter().for_each(|(kind, data)| message.attribute(*kind, data)));
            let body = messages(message.bytes()).next().unwrap().body;
            let read: Vec<(u16, Vec<u8>)> = attributes(body).map(|(kind, data)| (kind, data.to_vec())).collect();
            prop_assert_eq!(read, all);
        }

        #[test]
        fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for message in messages(&bytes) {
                attributes(message.body).for_each(drop);
            }
        }
    }
}
