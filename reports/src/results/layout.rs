//! How results.json is laid out: indented where people look, one line where only programs do. Fully indented, a file is five
//! times as large, nearly all of it blanks before single numbers.

use std::io::{self, Write};

use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

/// Values nested deeper than this stand on one line.
const INDENTED: usize = 4;

/// Indents the outer levels.
#[derive(Debug, Default)]
pub struct Layout {
    depth: usize,
    pretty: PrettyFormatter<'static>,
}

impl Layout {
    fn is_inside(&self) -> bool {
        self.depth > INDENTED
    }
}

/// Hands a call on to one of serde_json's two formatters, by depth.
macro_rules! by_depth {
    ($($call:ident($($name:ident: $kind:ty),*);)*) => {
        $(fn $call<W: ?Sized + Write>(&mut self, writer: &mut W $(, $name: $kind)*) -> io::Result<()> {
            if self.is_inside() { CompactFormatter.$call(writer $(, $name)*) } else { self.pretty.$call(writer $(, $name)*) }
        })*
    };
}

/// The same for what opens and closes a level.
macro_rules! levels {
    ($($begin:ident, $end:ident;)*) => {
        $(fn $begin<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
            self.depth += 1;
            if self.is_inside() { CompactFormatter.$begin(writer) } else { self.pretty.$begin(writer) }
        }

        fn $end<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
            let inside = self.is_inside();
            self.depth -= 1;
            if inside { CompactFormatter.$end(writer) } else { self.pretty.$end(writer) }
        })*
    };
}

impl Formatter for Layout {
    levels! {
        begin_array, end_array;
        begin_object, end_object;
    }
    by_depth! {
        begin_array_value(first: bool);
        end_array_value();
        begin_object_key(first: bool);
        begin_object_value();
        end_object_value();
    }
}
