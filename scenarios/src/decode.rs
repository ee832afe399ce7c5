//! Nodes to types. Every problem is told and decoding goes on, so that one pass finds them all.
//!
//! A type of the language is a [`record!`]: its keys, their documentation and their types stand once, and the decoder, the
//! list of known keys and the schema come from there.

pub(crate) mod fields;
pub(crate) mod scalars;

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::diagnostic::{Code, Diagnostic, Problems};
use crate::plan::Text;
use crate::schema::Definitions;
use crate::schema::shapes;
use crate::source::Span;
use crate::yaml::{self, Node};

pub(crate) use fields::{Fields, KeyDoc};
pub(crate) use scalars::word;

/// A type that is read from a node. `None`: a problem was told.
pub(crate) trait Decode: Sized {
    /// What is expected, for messages: "a duration such as `3s`".
    const WHAT: &'static str;

    /// Reads the node; tells every problem in it.
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self>;

    /// The same for editors. Never stricter than `decode`: what it refuses `decode` refuses too.
    fn schema(definitions: &mut Definitions) -> Value;
}

/// Tells that a node has the wrong type.
pub(crate) fn wrong_type(node: &Node, what: &str, problems: &mut Problems) {
    if node.scalar().is_some_and(|scalar| scalar.broken) {
        return;
    }
    let message = format!("expected {what}, found {}", node.describe());
    let label = format!("expected {what}");
    let help = match what {
        "a text" => "write a single value here, `like this`; more than one line begins with `|`".to_owned(),
        _ => format!("write {what} here"),
    };
    problems.push(Diagnostic::error(Code::E010, node.span, message, help).label(label));
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub span: Span,
}

impl<T: Decode> Decode for Spanned<T> {
    const WHAT: &'static str = T::WHAT;

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        T::decode(node, problems).map(|value| Self { value, span: node.span })
    }

    fn schema(definitions: &mut Definitions) -> Value {
        T::schema(definitions)
    }
}

/// Boxes keep the tree's types small; they change nothing in the language.
impl<T: Decode> Decode for Box<T> {
    const WHAT: &'static str = T::WHAT;

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        T::decode(node, problems).map(Self::new)
    }

    fn schema(definitions: &mut Definitions) -> Value {
        T::schema(definitions)
    }
}

impl<T: Decode> Decode for Vec<T> {
    const WHAT: &'static str = "a list";

    /// Items that are wrong are told and left out.
    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let yaml::Value::List(items) = &node.value else {
            not_a_list(node, problems);
            return None;
        };
        if items.is_empty() {
            problems.error(
                Code::E014,
                node.span,
                "the list is empty",
                "add an item, `[a]`; or leave an optional key out",
            );
        }
        Some(items.iter().filter_map(|item| T::decode(item, problems)).collect())
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "type": "array", "minItems": 1, "items": T::schema(definitions) })
    }
}

fn not_a_list(node: &Node, problems: &mut Problems) {
    if node.scalar().is_some_and(|scalar| scalar.broken) {
        return;
    }
    let message = format!("expected a list, found {}", node.describe());
    let help = match (&node.value, node.scalar().and_then(|scalar| scalar.literal())) {
        (_, Some(text)) if !text.is_empty() && text.len() <= 60 => {
            let words: Vec<&str> = text.split_whitespace().collect();
            format!("a list stands in brackets: `[{}]`", words.join(", ").escape_debug())
        }
        (yaml::Value::Map(_), _) => {
            "put brackets around it, `[ { ... } ]`, or begin each item with `- ` on its line".to_owned()
        }
        _ => "a list stands in brackets, `[a, b]`, or as lines that begin with `- `".to_owned(),
    };
    problems.push(Diagnostic::error(Code::E010, node.span, message, help).label("expected a list"));
}

/// One value, or a list of them.
#[derive(Debug, Clone)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T: Decode> Decode for OneOrMany<T> {
    const WHAT: &'static str = T::WHAT;

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match &node.value {
            yaml::Value::List(_) => Vec::decode(node, problems).map(Self),
            _ => T::decode(node, problems).map(|one| Self(vec![one])),
        }
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [T::schema(definitions), Vec::<T>::schema(definitions)] })
    }
}

/// Things by name. A thing that is wrong keeps its name with `None`, so that references to it are not told as unknown too.
#[derive(Debug, Clone)]
pub struct Named<T>(pub Vec<(Spanned<String>, Option<T>)>, HashMap<String, usize>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new(), HashMap::new())
    }
}

impl<T> Named<T> {
    /// The sound ones.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Spanned<String>, &T)> {
        self.0.iter().filter_map(|(name, thing)| Some((name, thing.as_ref()?)))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.0.get(*self.1.get(name)?)?.1.as_ref()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.value.as_str())
    }

    pub(crate) fn place_of(&self, name: &str) -> Option<Span> {
        self.0.get(*self.1.get(name)?).map(|(name, _)| name.span)
    }
}

impl<T: Decode> Decode for Named<T> {
    const WHAT: &'static str = "entries by name, `{ name: ... }`";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Some(entries) = node.entries() else {
            wrong_type(node, Self::WHAT, problems);
            return None;
        };
        let named = entries.iter().map(|entry| {
            check_name(&entry.key.text, entry.key.span, problems);
            let name = Spanned { value: entry.key.text.clone(), span: entry.key.span };
            (name, T::decode(&entry.value, problems))
        });
        let index = entries.iter().enumerate().map(|(index, entry)| (entry.key.text.clone(), index)).collect();
        Some(Self(named.collect(), index))
    }

    fn schema(definitions: &mut Definitions) -> Value {
        let names = json!({ "pattern": NAME, "patternErrorMessage": "a name has letters, digits, - and _" });
        json!({ "type": "object", "propertyNames": names, "additionalProperties": T::schema(definitions) })
    }
}

/// The name of something: part of file names, windows and `${...}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(pub String);

impl Decode for Name {
    const WHAT: &'static str = "a name";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = String::decode(node, problems)?;
        check_name(&text, node.span, problems);
        Some(Self(text))
    }

    fn schema(_: &mut Definitions) -> Value {
        shapes::scalar_with_pattern(NAME, "a name has letters, digits, - and _")
    }
}

/// The same as a pattern.
const NAME: &str = "^[A-Za-z0-9_-]{1,100}$";

fn check_name(name: &str, span: Span, problems: &mut Problems) {
    let fits = !name.is_empty()
        && name.len() <= 100
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !fits {
        let short: String = name.chars().take(40).collect();
        let message = format!("`{}` cannot be a name", short.escape_debug());
        problems.error(Code::E015, span, message, "use letters, digits, `-` and `_`, at most 100");
    }
}

/// Free keys with values, in the order of the file: headers, environment, form fields.
#[derive(Debug, Clone)]
pub struct Pairs<T>(pub Vec<(Spanned<String>, T)>);

impl<T> Default for Pairs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Decode> Decode for Pairs<T> {
    const WHAT: &'static str = "a mapping";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Some(entries) = node.entries() else {
            wrong_type(node, Self::WHAT, problems);
            return None;
        };
        let pairs = entries.iter().filter_map(|entry| {
            let key = Spanned { value: entry.key.text.clone(), span: entry.key.span };
            Some((key, T::decode(&entry.value, problems)?))
        });
        Some(Self(pairs.collect()))
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "type": "object", "additionalProperties": T::schema(definitions) })
    }
}

impl Decode for Node {
    const WHAT: &'static str = "a value";

    fn decode(node: &Node, _problems: &mut Problems) -> Option<Self> {
        Some(node.clone())
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({})
    }
}

impl Decode for Text {
    const WHAT: &'static str = "a text";

    fn decode(node: &Node, problems: &mut Problems) -> Option<Self> {
        match node.scalar() {
            Some(scalar) if scalar.broken => None,
            Some(scalar) if !scalar.is_null() => Some(scalar.text.clone()),
            _ => {
                wrong_type(node, Self::WHAT, problems);
                None
            }
        }
    }

    fn schema(_: &mut Definitions) -> Value {
        shapes::text()
    }
}

/// Declares a type of the language: a mapping with fixed keys.
///
/// `required` keys must be there, else the whole record is `None`; an `expected` key must be there too, but the record is read
/// without it; an `optional` one may be missing; `flatten` takes the keys of another record. `as "for"` names the key where
/// the field cannot have its name. `check` looks at a sound record as a whole and tells what does not fit.
macro_rules! record {
    (
        $(#[$meta:meta])* $name:ident, $what:literal $(, check = $check:path)? $(, schema = $more:path)?;
        $($(#[doc = $doc:literal])+ $mode:ident $field:ident $(as $key:literal)?: $ty:ty,)*
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        pub struct $name {
            /// Where it stands.
            pub span: $crate::source::Span,
            /// Nothing in it was wrong. What is missing in a record that is not sound may well have been written.
            pub sound: bool,
            $($(#[doc = $doc])+ pub $field: $crate::decode::field_type!($mode $ty),)*
        }

        impl $name {
            /// The keys of this type, in the order of the documentation.
            pub(crate) fn keys() -> Vec<$crate::decode::KeyDoc> {
                [$($crate::decode::field_keys!(
                    $mode, $crate::decode::key_name!($field $($key)?), concat!($($doc),+), $ty
                )),*].concat()
            }

            /// The schemas of its keys, without what they are for.
            pub(crate) fn properties(definitions: &mut $crate::schema::Definitions) -> Vec<serde_json::Value> {
                [$($crate::decode::field_schema!(definitions, $mode, $ty)),*].concat()
            }

            /// Reads the keys that belong to this type.
            pub(crate) fn from_fields(
                fields: &$crate::decode::Fields<'_>,
                problems: &mut $crate::diagnostic::Problems,
            ) -> Option<Self> {
                $(let $field = $crate::decode::field_value!(
                    fields, problems, $mode, $crate::decode::key_name!($field $($key)?), $what, $ty
                );)*
                let sound = fields.sound_so_far(problems);
                let record = Self {
                    span: fields.span(),
                    sound,
                    $($field: $crate::decode::field_unwrap!($mode $field),)*
                };
                if sound {
                    $($check(&record, problems);)?
                }
                Some(record)
            }
        }

        impl $crate::decode::Decode for $name {
            const WHAT: &'static str = $what;

            fn decode(node: &$crate::yaml::Node, problems: &mut $crate::diagnostic::Problems) -> Option<Self> {
                let fields = $crate::decode::Fields::of(node, $what, &Self::keys(), problems)?;
                Self::from_fields(&fields, problems)
            }

            fn schema(definitions: &mut $crate::schema::Definitions) -> serde_json::Value {
                definitions.record(stringify!($name), $what, Self::keys, Self::properties, |_schema, _definitions| {
                    $($more(_schema, _definitions);)?
                })
            }
        }
    };
}

macro_rules! key_name {
    ($field:ident $key:literal) => {
        $key
    };
    ($field:ident) => {
        stringify!($field)
    };
}

macro_rules! field_type {
    (required $ty:ty) => { $ty };
    ($other:ident $ty:ty) => { Option<$ty> };
}

macro_rules! field_keys {
    (flatten, $key:expr, $doc:expr, $ty:ty) => {
        <$ty>::keys().into_iter().map(|key| $crate::decode::KeyDoc { required: false, ..key }).collect::<Vec<_>>()
    };
    ($mode:ident, $key:expr, $doc:expr, $ty:ty) => {
        vec![$crate::decode::KeyDoc {
            key: $key,
            doc: $doc,
            what: <$ty as $crate::decode::Decode>::WHAT,
            required: stringify!($mode) != "optional",
        }]
    };
}

macro_rules! field_schema {
    ($definitions:ident, flatten, $ty:ty) => {
        <$ty>::properties($definitions)
    };
    ($definitions:ident, $mode:ident, $ty:ty) => {
        vec![<$ty as $crate::decode::Decode>::schema($definitions)]
    };
}

macro_rules! field_value {
    ($fields:ident, $problems:ident, flatten, $key:expr, $what:expr, $ty:ty) => {
        if $fields.has_any(&<$ty>::keys()) { <$ty>::from_fields($fields, $problems) } else { None }
    };
    ($fields:ident, $problems:ident, optional, $key:expr, $what:expr, $ty:ty) => {
        $fields.optional::<$ty>($key, $problems)
    };
    ($fields:ident, $problems:ident, $mode:ident, $key:expr, $what:expr, $ty:ty) => {
        $fields.required::<$ty>($key, $what, $problems)
    };
}

macro_rules! field_unwrap {
    (required $field:ident) => {
        $field?
    };
    ($mode:ident $field:ident) => {
        $field
    };
}

pub(crate) use {field_keys, field_schema, field_type, field_unwrap, field_value, key_name, record};

/// A type of the language that is one of a few words.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident: $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl $crate::decode::Decode for $name {
            const WHAT: &'static str = concat!("one of", $(" `", $word, "`"),+);

            fn decode(node: &$crate::yaml::Node, problems: &mut $crate::diagnostic::Problems) -> Option<Self> {
                match $crate::decode::word(node, &[$($word),+], problems)? {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn schema(_: &mut $crate::schema::Definitions) -> serde_json::Value {
                $crate::schema::shapes::words(&[$(($word, concat!($($doc),+))),+])
            }
        }
    };
}

pub(crate) use words;
