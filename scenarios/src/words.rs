//! Words that are not ours: slips of the finger, and what people who know other tools write.

pub mod foreign;

use foreign::{Foreign, Place};

/// What to write instead of a word of another tool at this place.
pub(crate) fn instead(word: &str, at: Place) -> Option<&'static str> {
    meant(word).find(|known| known.at == at).map(|known| known.here)
}

/// What to write instead of a key that belongs to the top of the file, when it stands elsewhere.
pub(crate) fn at_the_top(word: &str) -> Option<&'static str> {
    instead(word, Place::Key(foreign::TOP_LEVEL))
}

/// What to write instead of one of a few words.
pub(crate) fn instead_of_one(word: &str, words: &[&str]) -> Option<&'static str> {
    let fits = |known: &&Foreign| matches!(known.at, Place::OneOf(among) if words.contains(&among));
    meant(word).find(fits).map(|known| known.here)
}

/// Everything that a word of other tools may mean here.
pub fn meant(word: &str) -> impl Iterator<Item = &'static Foreign> + Clone {
    let asked: String = plain(word).take(LONGEST).collect();
    foreign::ALL.iter().filter(move |known| plain(known.word).eq(asked.chars()))
}

/// No word of another tool is longer.
const LONGEST: usize = 40;

/// Without what people write in several ways.
fn plain(word: &str) -> impl Iterator<Item = char> {
    word.chars().filter(|letter| !['_', '-'].contains(letter)).map(|letter| letter.to_ascii_lowercase())
}

/// The candidate that a mistyped word most probably means: at most one edit in three letters.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The distance is quadratic; nothing that long is a slip of the finger.
    if word.len() > 100 {
        return None;
    }
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::foreign::{ALL, Place};
    use super::{instead, nearest};

    #[test]
    fn people_from_other_tools_are_understood_however_they_write() {
        for word in ["arrivalRate", "arrival_rate", "ARRIVAL-RATE"] {
            let here = instead(word, Place::Key("a load entry"));
            assert_eq!(here, Some("called `rate` here, with a unit: `rate: 200/s`"));
        }
        assert_eq!(instead("duration", Place::Key("an item of the timeline")), Some("called `for` here: `for: 30s`"));
        assert_eq!(instead("nonsense", Place::Key("a load entry")), None);
        assert_eq!(instead("http_req_duration", Place::Key("a gate")), None, "a metric is no key");
        for (number, known) in ALL.iter().enumerate() {
            let twice = ALL.iter().take(number).any(|other| other.word == known.word && other.at == known.at);
            assert!(!twice, "{} stands twice", known.word);
        }
        assert!(ALL.len() >= 40);
    }

    #[test]
    fn only_a_slip_of_the_finger_is_near() {
        assert_eq!(nearest("targte", ["target", "timeout"]), Some("target"));
        assert_eq!(nearest("xyz", ["target", "timeout"]), None);
        assert_eq!(nearest(&"a".repeat(1000), ["target"]), None);
    }
}
