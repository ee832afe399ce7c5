//! The parameters of a fault, by the catalogue's names.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Addresses, Text, UnknownAddress};
use crate::units::Share;

/// The parameters of a fault, by the names of the catalogue; every parameter of the kind that has a default is present.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Params(pub BTreeMap<&'static str, ParamValue>);

/// The value of a fault's parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum ParamValue {
    /// A span of time.
    Duration(Duration),
    /// A share.
    Percent(Share),
    /// A whole number: a status, a count.
    Number(u64),
    /// Bytes.
    Size(u64),
    /// Bits a second.
    Bandwidth(u64),
    /// One of the words that the catalogue allows.
    Word(&'static str),
    /// Free text.
    Text(Text),
    /// Names and values: headers.
    Pairs(Vec<(String, String)>),
    /// Spans of time, as they were recorded.
    Durations(Vec<Duration>),
    /// Names.
    Names(Vec<String>),
    /// A program and its arguments, each as it is handed over: no shell reads them. Never empty, and nothing secret.
    Command(Vec<Text>),
}

impl Params {
    /// A duration parameter, if given or defaulted.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        match self.0.get(name) {
            Some(ParamValue::Duration(value)) => Some(*value),
            _ => None,
        }
    }

    /// A share parameter as a fraction, if given or defaulted.
    pub fn share(&self, name: &str) -> Option<f64> {
        match self.0.get(name) {
            Some(ParamValue::Percent(value)) => Some(value.0),
            _ => None,
        }
    }

    /// A whole number, a size or a bandwidth, if given or defaulted.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.0.get(name) {
            Some(ParamValue::Number(value) | ParamValue::Size(value) | ParamValue::Bandwidth(value)) => Some(*value),
            _ => None,
        }
    }

    /// A word, if given or defaulted.
    pub fn word(&self, name: &str) -> Option<&'static str> {
        match self.0.get(name) {
            Some(ParamValue::Word(value)) => Some(value),
            _ => None,
        }
    }

    /// A list of durations, if given.
    pub fn durations(&self, name: &str) -> Option<&[Duration]> {
        match self.0.get(name) {
            Some(ParamValue::Durations(values)) => Some(values),
            _ => None,
        }
    }

    /// Names, if given.
    pub fn names(&self, name: &str) -> Option<&[String]> {
        match self.0.get(name) {
            Some(ParamValue::Names(names)) => Some(names),
            _ => None,
        }
    }

    /// A program and its arguments, if given.
    pub fn command(&self, name: &str) -> Option<&[Text]> {
        match self.0.get(name) {
            Some(ParamValue::Command(value)) => Some(value),
            _ => None,
        }
    }

    /// The same with the late parts of texts and commands filled in.
    ///
    /// # Errors
    /// The first part that is not known, or not unique.
    pub fn filled(&self, known: &Addresses) -> Result<Self, UnknownAddress> {
        let fill = |text: &Text| text.fill(known, None).map(Text::literal);
        let filled = self.0.iter().map(|(name, value)| {
            let value = match value {
                ParamValue::Text(text) => ParamValue::Text(fill(text)?),
                ParamValue::Command(words) => ParamValue::Command(words.iter().map(fill).collect::<Result<_, _>>()?),
                other => other.clone(),
            };
            Ok((*name, value))
        });
        filled.collect::<Result<_, _>>().map(Self)
    }

    /// A text, if given or defaulted.
    pub fn text(&self, name: &str) -> Option<&Text> {
        match self.0.get(name) {
            Some(ParamValue::Text(value)) => Some(value),
            _ => None,
        }
    }
}
