//! Messages as lines of a pod's log: `brunt-result NUMBER CHECKSUM MARK TEXT`.
//!
//! A log is a poor wire: the container runtime splits lines above 16 KiB, the kubelet rotates files, a connection breaks in the
//! middle of a line, and whoever opens the log again may get lines a second time. So a line is short, carries its number and
//! a checksum over all of it, and a message that needs several says in each but the last that more follows. The reader takes
//! lines in the order of their numbers and no other ones: what is double or damaged falls out, and what is missing is known
//! by its number, from which on it can be asked for again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes of a message in one line: 8 KiB with all that stands around them, in base64.
const PIECE: usize = 6000;
/// How each line of results begins.
const RESULT: &str = "brunt-result";
/// How orders and answers begin: answers stand in the same log, for it has both streams of a container.
const TALK: &str = "brunt-talk";
/// A message is larger than any that is sent: something is wrong, and memory is finite.
const LARGEST: usize = 256 * 1024 * 1024;

/// A message of results as lines, each with its line break. Their numbers go on from `next`.
pub fn lines(message: &[u8], next: &mut u64) -> Vec<String> {
    lines_of(RESULT, message, next)
}

/// An order or an answer, for [`Reader::of_talk`].
pub fn talk(message: &[u8]) -> String {
    lines_of(TALK, message, &mut 1).concat()
}

fn lines_of(word: &str, message: &[u8], next: &mut u64) -> Vec<String> {
    let pieces = message.len().div_ceil(PIECE).max(1);
    let line = |at: usize| {
        let piece = &message[at * PIECE..message.len().min((at + 1) * PIECE)];
        let mark = if at + 1 == pieces { '.' } else { '+' };
        let number = *next;
        *next += 1;
        let text = STANDARD.encode(piece);
        let sum = checksum(number, mark, &text);
        format!("{word} {number} {sum:08x} {mark} {text}\n")
    };
    (0..pieces).map(line).collect()
}

/// Over the number and the mark as well: a line that was put together of two is none.
fn checksum(number: u64, mark: char, text: &str) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&number.to_le_bytes());
    sum.update(&[mark as u8]);
    sum.update(text.as_bytes());
    sum.finalize()
}

/// A line that is whole.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    number: u64,
    last: bool,
    text: &'a str,
}

/// `None`: damaged, or not ours.
fn parse<'a>(line: &'a [u8], word: &str) -> Option<Line<'a>> {
    let line = std::str::from_utf8(line).ok()?.trim_end_matches(['\n', '\r']);
    let mut words = line.split(' ');
    if words.next()? != word {
        return None;
    }
    let number: u64 = words.next()?.parse().ok()?;
    let sum = u32::from_str_radix(words.next()?, 16).ok()?;
    let mark = match words.next()? {
        "." => '.',
        "+" => '+',
        _ => return None,
    };
    let text = words.next()?;
    (words.next().is_none() && checksum(number, mark, text) == sum).then_some(Line { number, last: mark == '.', text })
}

/// Puts messages together again.
#[derive(Debug)]
pub struct Reader {
    next: u64,
    message: Vec<u8>,
    /// A line was seen that comes after the one that is due.
    gap: bool,
    /// How its lines begin.
    word: &'static str,
}

impl Default for Reader {
    /// Lines are numbered from 1, through all messages.
    fn default() -> Self {
        Self { next: 1, message: Vec::new(), gap: false, word: RESULT }
    }
}

impl Reader {
    /// Of orders and answers, each of which is numbered anew: one that breaks off is lost, and the next one is not.
    pub fn of_talk() -> Self {
        Self { word: TALK, ..Self::default() }
    }

    /// Takes a line; returns the message that it completes.
    pub fn take(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let line = parse(line, self.word)?;
        if self.word == TALK && line.number == 1 {
            self.next = 1;
            self.message.clear();
        }
        if line.number != self.next {
            self.gap |= line.number > self.next;
            return None;
        }
        self.gap = false;
        // What carries a right checksum is base64: nobody else has written it.
        let piece = STANDARD.decode(line.text).ok()?;
        if self.message.len() + piece.len() > LARGEST {
            return None;
        }
        self.next += 1;
        self.message.extend(piece);
        line.last.then(|| std::mem::take(&mut self.message))
    }

    /// The number of the line that is due.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Whether lines are missing before one that was seen.
    pub fn has_gap(&self) -> bool {
        self.gap
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(lines: impl IntoIterator<Item = Vec<u8>>) -> (Vec<Vec<u8>>, Reader) {
        let mut reader = Reader::default();
        let messages = lines.into_iter().filter_map(|line| reader.take(&line)).collect();
        (messages, reader)
    }

    fn written(messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut next = 1;
        messages.iter().flat_map(|message| lines(message, &mut next)).map(String::into_bytes).collect()
    }

    #[test]
    fn a_line_is_shorter_than_eight_kibibytes_whatever_its_number() {
        let mut next = u64::MAX - 1;
        for line in lines(&[0xff; PIECE], &mut next) {
            assert!(line.len() <= 8192, "{}", line.len());
        }
    }

    #[test]
    fn of_orders_one_that_breaks_off_is_lost_and_the_next_is_not() {
        let of = |message: &[u8]| talk(message).split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>();
        let (long, short) = (of(&[7; 3 * PIECE]), of(&[9]));
        let mut reader = Reader::of_talk();
        assert_eq!(reader.take(long[0].as_bytes()), None);
        assert_eq!(reader.take(short[0].as_bytes()), Some(vec![9]));
        assert_eq!(reader.take(short[0].as_bytes()), Some(vec![9]), "it may be said twice");
        let whole: Vec<_> = long.iter().filter_map(|line| reader.take(line.as_bytes())).collect();
        assert_eq!(whole, [vec![7; 3 * PIECE]]);
    }

    #[test]
    fn an_empty_message_is_a_message() {
        assert_eq!(read(written(&[Vec::new(), vec![1]])).0, [Vec::new(), vec![1]]);
    }

    #[test]
    fn a_line_that_is_lost_is_known_by_its_number_and_heals_when_it_comes_again() {
        let all = written(&[vec![1], vec![2], vec![3]]);
        let mut reader = Reader::default();
        assert_eq!(reader.take(&all[0]), Some(vec![1]));
        assert_eq!(reader.take(&all[2]), None);
        assert!(reader.has_gap() && reader.next() == 2);
        assert_eq!(reader.take(&all[1]), Some(vec![2]));
        assert_eq!(reader.take(&all[2]), Some(vec![3]));
        assert!(!reader.has_gap());
    }

    #[test]
    fn what_others_write_is_left_alone() {
        let mut all = written(&[vec![1]]);
        all.insert(0, b"thread 'main' panicked at brunt 1\n".to_vec());
        all.insert(0, b"brunt-result 1 zz . \n".to_vec());
        all.insert(0, talk(&[9]).into_bytes());
        all.insert(0, vec![0xff, 0xfe]);
        assert_eq!(read(all).0, [vec![1]]);
    }

    proptest! {
        #[test]
        fn what_is_doubled_split_and_damaged_falls_out_and_all_comes_through_when_it_is_sent_again(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20_000), 1..6),
            harm in prop::collection::vec((0_usize..40, 0_u8..4, any::<prop::sample::Index>()), 0..12),
        ) {
            let whole = written(&messages);
            let mut harmed = Vec::new();
            for (at, line) in whole.iter().enumerate() {
                let kinds: Vec<_> = harm.iter().filter(|(line, ..)| *line == at).collect();
                let mut pieces = vec![line.clone()];
                for (_, kind, place) in kinds {
                    match kind {
                        0 => pieces.clear(),
                        1 => pieces.push(line.clone()),
                        2 => {
                            let cut = place.index(line.len());
                            pieces = vec![line[..cut].to_vec(), line[cut..].to_vec()];
                        }
                        _ => {
                            let mut damaged = line.clone();
                            // Never the line break, which is none of the line.
                            let at = place.index(damaged.len() - 1);
                            damaged[at] ^= 1;
                            pieces = vec![damaged];
                        }
                    }
                }
                harmed.extend(pieces);
            }
            let mut reader = Reader::default();
            let mut got: Vec<Vec<u8>> = harmed.iter().filter_map(|line| reader.take(line)).collect();
            // Nothing but a beginning of what was sent, whatever became of the lines.
            prop_assert_eq!(&got[..], &messages[..got.len()]);
            // Asked for again, from the line that is due.
            let due = usize::try_from(reader.next() - 1).unwrap();
            got.extend(whole[due..].iter().filter_map(|line| reader.take(line)));
            prop_assert_eq!(got, messages);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
            Reader::default().take(&line);
        }
    }
}
