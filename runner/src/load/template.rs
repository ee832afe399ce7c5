//! Texts that are filled in at run time: `{{ id }}`, `{{ uuid() }}`, `{{ rand_int(1, 6) }}`.
//!
//! Everything is compiled once, when the load starts. A text without `{{` is a plain string and costs nothing later. A name
//! that is not known is an error of the step, never an empty string.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use brunt_scenario::plan::{Addresses, Piece, Table, Text, UnknownAddress};
use minijinja::value::{Object, Value};
use minijinja::{Environment, ErrorKind, State, UndefinedBehavior};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::randomness::{self, Purpose};
use super::turns::Named;
use crate::clock::Clock;

/// A compiled text.
#[derive(Debug, Clone, PartialEq)]
pub enum Template {
    /// The same each time.
    Fixed(String),
    /// Rendered each time: its number in [`Templates`].
    Late(usize),
}

/// A text could not be compiled or rendered.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// An address that is not known.
    #[error(transparent)]
    Address(#[from] UnknownAddress),
    /// The template is wrong, or names something that is not there.
    #[error("{0}")]
    Template(#[from] minijinja::Error),
}

/// All compiled texts of a run.
pub struct Templates {
    environment: Environment<'static>,
    names: Vec<String>,
    /// How many secrets are in templates: they are variables and not part of the source, so braces in them mean nothing.
    secrets: usize,
}

impl Default for Templates {
    fn default() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.add_function("uuid", uuid);
        environment.add_function("now", now);
        environment.add_function("rand_int", rand_int);
        Self { environment, names: Vec::new(), secrets: 0 }
    }
}

impl Templates {
    /// Fills in the late parts of a text and compiles it.
    pub fn compile(&mut self, text: &Text, known: &Addresses) -> Result<Template, TemplateError> {
        if !text.0.iter().any(|piece| matches!(piece, Piece::Literal(literal) if literal.contains("{{"))) {
            return Ok(Template::Fixed(text.fill(known, None)?));
        }
        let mut source = String::new();
        for piece in &text.0 {
            match piece {
                Piece::Secret(secret) => {
                    let name = format!("secret_{}", self.secrets);
                    source.push_str(&format!("{{{{ {name} }}}}"));
                    self.environment.add_global(name, secret.expose());
                    self.secrets += 1;
                }
                other => source.push_str(&Text(vec![other.clone()]).fill(known, None)?),
            }
        }
        let name = format!("text {}", self.names.len());
        self.environment.add_template_owned(name.clone(), source)?;
        self.names.push(name);
        Ok(Template::Late(self.names.len() - 1))
    }

    /// The text as it is for this iteration.
    pub fn render<'a>(&self, template: &'a Template, scope: &Arc<Scope>) -> Result<Cow<'a, str>, TemplateError> {
        match template {
            Template::Fixed(text) => Ok(Cow::Borrowed(text)),
            Template::Late(number) => {
                let template = self.environment.get_template(&self.names[*number])?;
                Ok(Cow::Owned(template.render(Value::from_dyn_object(scope.clone()))?))
            }
        }
    }
}

/// What templates can see in one iteration.
#[derive(Debug)]
pub struct Scope {
    clock: Clock,
    iteration: u64,
    user: u64,
    /// Locks that nobody contends for: minijinja wants its objects to be shareable.
    random: Mutex<ChaCha8Rng>,
    values: Mutex<BTreeMap<String, Value>>,
    feeders: Option<Arc<[Named]>>,
    /// A row of each feeder.
    rows: Vec<u32>,
}

impl Scope {
    /// `iteration` is the index in the load's schedule; with the seed and the load's index it decides all random values.
    /// `rows` holds a row for each of `feeders`.
    pub fn new(
        clock: Clock,
        seed: u64,
        load: usize,
        (iteration, user): (u64, u64),
        (feeders, rows): (Option<Arc<[Named]>>, Vec<u32>),
    ) -> Arc<Self> {
        let random = Mutex::new(randomness::stream(Purpose::Values, seed, load as u64, iteration));
        Arc::new(Self { clock, iteration, user, random, values: Mutex::default(), feeders, rows })
    }

    /// The row of a feeder.
    fn row(&self, name: &str) -> Option<Value> {
        let feeders = self.feeders.as_ref()?;
        let place = feeders.iter().position(|feeder| &*feeder.name == name)?;
        let row = Row { table: feeders[place].table.clone(), row: *self.rows.get(place)? as usize };
        Some(Value::from_object(row))
    }

    /// Keeps an extracted value for later steps.
    pub fn set(&self, name: &str, value: Value) {
        self.values.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), value);
    }

    fn draw(&self) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }
}

/// The name under which the functions find the scope.
const SELF: &str = "_iteration";

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "iteration" => Some(self.iteration.into()),
            "user" => Some(self.user.into()),
            SELF => Some(Value::from_dyn_object(self.clone())),
            name => self.row(name).or_else(|| {
                let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
                values.get(name).cloned()
            }),
        }
    }
}

/// `{{ users }}` in a template: its columns are texts.
#[derive(Debug)]
struct Row {
    table: Arc<Table>,
    row: usize,
}

impl Object for Row {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let column = self.table.columns().iter().position(|column| column == name)?;
        self.table.cell(self.row, column).map(Value::from)
    }

    /// A row has no text of its own: who writes `{{ users }}` has forgotten the column.
    fn render(self: &Arc<Self>, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Err(std::fmt::Error)
    }
}

fn scope(state: &State<'_, '_>) -> Result<Arc<Scope>, minijinja::Error> {
    let value = state.lookup(SELF);
    let scope = value.and_then(|value| value.downcast_object::<Scope>());
    scope.ok_or_else(|| minijinja::Error::new(ErrorKind::InvalidOperation, "this function needs an iteration"))
}

/// A random UUID (RFC 9562, version 4).
fn uuid(state: &State<'_, '_>) -> Result<String, minijinja::Error> {
    let scope = scope(state)?;
    let high = scope.draw() & !0xf000 | 0x4000;
    let low = scope.draw() & !(0b11 << 62) | 0b10 << 62;
    let (a, b, c, d, e) = (high >> 32, high >> 16 & 0xffff, high & 0xffff, low >> 48, low & 0xffff_ffff_ffff);
    Ok(format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}"))
}

/// Milliseconds since 1970 in UTC: the one value that the seed does not decide.
fn now(state: &State<'_, '_>) -> Result<u64, minijinja::Error> {
    let clock = scope(state)?.clock;
    let since = clock.wall_at(clock.now()).duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(since.as_millis() as u64)
}

/// A whole number from `low` to `high`, both included.
fn rand_int(state: &State<'_, '_>, low: i64, high: i64) -> Result<i64, minijinja::Error> {
    if low > high {
        let text = format!("rand_int({low}, {high}): the first number is the smaller one");
        return Err(minijinja::Error::new(ErrorKind::InvalidOperation, text));
    }
    let span = (i128::from(high) - i128::from(low) + 1) as u128;
    // Multiply and shift: even to one part in 2^64 / span.
    let step = (u128::from(scope(state)?.draw()) * span) >> 64;
    Ok((i128::from(low) + step as i128) as i64)
}

#[cfg(test)]
mod tests {
    use brunt_scenario::secret::Secret;

    use super::*;

    fn render(text: &Text, scope: &Arc<Scope>) -> Result<String, String> {
        let mut templates = Templates::default();
        let compiled = templates.compile(text, &Addresses::default()).map_err(|error| error.to_string())?;
        templates.render(&compiled, scope).map(Cow::into_owned).map_err(|error| error.to_string())
    }

    fn scope(iteration: u64) -> Arc<Scope> {
        Scope::new(Clock::start(), 42, 0, (iteration, 3), (None, Vec::new()))
    }

    #[test]
    fn a_text_without_braces_is_not_a_template() {
        let mut templates = Templates::default();
        let compiled = templates.compile(&Text::literal("/orders?a=b"), &Addresses::default()).unwrap();
        assert_eq!(compiled, Template::Fixed("/orders?a=b".into()));
    }

    #[test]
    fn the_seed_decides_all_random_values() {
        let text = Text::literal("{{ uuid() }} {{ uuid() }} {{ rand_int(-5, 5) }} {{ iteration }} {{ user }}");
        let first = render(&text, &scope(7)).unwrap();
        assert_eq!(first, render(&text, &scope(7)).unwrap());
        assert_ne!(first, render(&text, &scope(8)).unwrap());
        let words: Vec<&str> = first.split(' ').collect();
        assert_ne!(words[0], words[1]);
        assert_eq!((words[0].len(), &words[0][14..15], &words[3..]), (36, "4", &["7", "3"][..]));
    }

    #[test]
    fn rand_int_reaches_both_ends_and_nothing_beyond() {
        let text = Text::literal("{{ rand_int(1, 3) }}");
        let mut seen: Vec<String> = (0..100).map(|i| render(&text, &scope(i)).unwrap()).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen, ["1", "2", "3"]);
    }

    #[test]
    fn extracted_values_can_be_used_and_unknown_names_are_errors() {
        let scope = scope(1);
        scope.set("id", Value::from(17));
        assert_eq!(render(&Text::literal("/orders/{{ id }}"), &scope).unwrap(), "/orders/17");
        assert!(render(&Text::literal("{{ nobody }}"), &scope).unwrap_err().contains("undefined value"));
    }

    #[test]
    fn a_row_is_used_by_its_columns_and_never_as_a_whole() {
        let mut table = Table::new(vec!["email".into(), "first name".into()], String::new());
        for cell in ["a@example.org", "Ann", "b@example.org", "Bob"] {
            assert!(table.push(cell));
        }
        let users = Named { name: "users".into(), table: Arc::new(table) };
        let scope = Scope::new(Clock::start(), 42, 0, (0, 0), (Some(Arc::from([users])), vec![1]));
        let text = Text::literal("{{ users.email }} {{ users['first name'] }}");
        assert_eq!(render(&text, &scope).unwrap(), "b@example.org Bob");
        assert!(render(&Text::literal("{{ users }}"), &scope).is_err());
        assert!(render(&Text::literal("{{ users.phone }}"), &scope).is_err());
    }

    #[test]
    fn braces_in_a_secret_mean_nothing() {
        let secret = Piece::Secret(Secret::new("a{{ b }}c"));
        let text = Text(vec![secret, Piece::Literal("-{{ iteration }}".into())]);
        assert_eq!(render(&text, &scope(5)).unwrap(), "a{{ b }}c-5");
    }
}
