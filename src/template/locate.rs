//! From a position inside a template to the line of the file it was written in.

use std::path::Path;

use crate::base::Span;
use crate::base::source::Style;

use super::fault::Place;

/// Where a position in a template stands in its file. Scalars of one line are computed; for blocks and folded text the file is read again (this is
/// the way of an error only) and the piece of text is looked for below the scalar's start. Without the file it is the scalar's own place.
pub(crate) fn span(place: &Place) -> Span {
    let origin = &place.origin;
    let start = &origin.span;
    let (line, column) = (place.position.line, place.position.column);
    let length = place.position.length;
    if !start.is_in_file() {
        return start.clone();
    }
    let text = origin.code.source.as_ref();
    let found = match origin.style {
        Style::Plain if line == 0 => Some(start.inside(0, column)),
        Style::Single | Style::Double if line == 0 && !text.contains('\n') => Some(start.inside(0, column + 1)),
        Style::Plain if origin.code.is_file => Some(start.inside(line, column)),
        Style::Literal => in_block(start, text, line, column),
        _ => by_search(start, text, place),
    };
    found.unwrap_or_else(|| start.clone()).with_length(length)
}

fn file_lines(span: &Span) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(Path::new(span.file.as_ref())).ok()?;
    Some(text.lines().map(str::to_owned).collect())
}

/// A literal block: its lines stand below the `|`, all with the same indentation more than in the text.
fn in_block(start: &Span, text: &str, line: u32, column: u32) -> Option<Span> {
    let lines = file_lines(start)?;
    let wanted = text.lines().nth(line as usize)?;
    let number = start.line as usize + line as usize;
    let written = lines.get(number)?;
    let indentation = written.find(wanted)?;
    Some(Span { file: start.file.clone(), line: number as u32 + 1, column: indentation as u32 + column + 1, length: 0 })
}

fn by_search(start: &Span, text: &str, place: &Place) -> Option<Span> {
    let wanted: String = {
        let line = text.lines().nth(place.position.line as usize)?;
        line.chars().skip(place.position.column as usize).take(place.position.length.max(1) as usize).collect()
    };
    let lines = file_lines(start)?;
    let reach = text.lines().count() * 4 + 40;
    for (number, line) in lines.iter().enumerate().skip(start.line.saturating_sub(1) as usize).take(reach) {
        let from = if number + 1 == start.line as usize {
            line.char_indices().nth(start.column.saturating_sub(1) as usize).map_or(0, |(at, _)| at)
        } else {
            0
        };
        if let Some(at) = line[from..].find(&wanted) {
            let column = line[..from + at].chars().count() as u32 + 1;
            return Some(Span { file: start.file.clone(), line: number as u32 + 1, column, length: 0 });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::base::Span;
    use crate::template::{Context, Templar, Variable, Variables};
    use crate::yaml;

    struct Project(crate::base::Node);

    impl Variables for Project {
        fn get(&self, name: &str) -> Option<Variable> {
            self.0.get(name).cloned().map(Variable::Source)
        }

        fn names(&self) -> Vec<String> {
            vec!["port".into()]
        }
    }

    /// Where the error of rendering `{{ x }}` points, when a file says what `x` is.
    fn place(x: &str) -> (u32, u32, u32) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("vars.yml");
        std::fs::write(&file, x).expect("is written");
        let (node, _) = yaml::load_one(x, &file.to_string_lossy()).expect("is YAML");
        let context = Context { variables: Arc::new(Project(node)), search: Default::default(), controller: Default::default() };
        let error = Templar::new().render_text("{{ x }}", &Span::origin("<test>"), &context).expect_err("fails");
        let span = error.diagnostic.span().expect("has a place").clone();
        assert!(error.diagnostic.labels[1].text.contains("needed by `x`"), "{error:?}");
        (span.line, span.column, span.length)
    }

    #[test]
    fn an_error_points_into_the_scalar_however_it_is_written() {
        assert_eq!(place("x: a {{ prot }}\n"), (1, 9, 4));
        assert_eq!(place("x: \"a {{ prot }}\"\n"), (1, 10, 4));
        assert_eq!(place("y: 1\nx: |\n    first\n    {{ 1 }} {{ prot }}\n"), (4, 16, 4));
        assert_eq!(place("x: >\n  first\n  {{ prot }} last\n"), (3, 6, 4));
    }
}
