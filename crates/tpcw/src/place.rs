//! Where a key stands in a TOML file, so that a message about its value can say line and column.

use toml::de::{DeTable, DeValue};

/// Line and column, both from 1, of the key at `path` (`load.sessions`, `load.phase.0.seconds`), or of the nearest of its
/// parents that is there; `None` when not even the first part is.
pub fn of(text: &str, path: &str) -> Option<(usize, usize)> {
    let document = DeTable::parse(text).ok()?;
    let mut found = None;
    let mut value: Option<&DeValue<'_>> = None;
    for part in path.split('.') {
        let next = match (value, part.parse::<usize>()) {
            (Some(DeValue::Array(items)), Ok(index)) => {
                items.get(index).map(|item| (item.span(), item.get_ref()))
            }
            (Some(DeValue::Table(table)), _) => entry(table, part),
            (None, _) => entry(document.get_ref(), part),
            _ => None,
        };
        let Some((span, inner)) = next else { break };
        found = Some(span.start);
        value = Some(inner);
    }
    found.map(|start| line_and_column(text, start))
}

fn entry<'a, 'i>(table: &'a DeTable<'i>, key: &str) -> Option<(std::ops::Range<usize>, &'a DeValue<'i>)> {
    table.iter().find(|(name, _)| name.get_ref() == key).map(|(name, value)| (name.span(), value.get_ref()))
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line = before.matches('\n').count() + 1;
    (line, before.len() - before.rfind('\n').map_or(0, |newline| newline + 1) + 1)
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_are_found_in_tables_and_lists_and_missing_ones_at_their_parent() {
        let text =
            "seed = 1\n[load]\n  sessions = 0\n[[load.phase]]\nname = 'a'\n[[load.phase]]\nseconds = 0\n";
        for (path, place) in [
            ("seed", Some((1, 1))),
            ("load.sessions", Some((3, 3))),
            ("load.phase.1.seconds", Some((7, 1))),
            ("load.think_time", Some((2, 2))),
            ("nothing", None),
        ] {
            assert_eq!(super::of(text, path), place, "{path}");
        }
    }
}
