//! The shop's tables (`docs/tpcw.md`, 2): definitions, and their names in the order in which they are loaded.

/// Changes with every change of the tables or of what is put into them, so that a kept data folder is never mistaken
/// for one of another version.
pub const SCHEMA_VERSION: u32 = 1;

/// The database that holds the shop where nobody asks for another.
pub const DATABASE: &str = "tpcw";

/// Says what was loaded, by one row: `state` is `loading` until the last step is done.
pub const LOAD_TABLE: &str = "CREATE TABLE IF NOT EXISTS tpcw_load (
  id              TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  schema_version  INT UNSIGNED NOT NULL,
  items           INT UNSIGNED NOT NULL,
  browsers        INT UNSIGNED NOT NULL,
  seed            BIGINT UNSIGNED NOT NULL,
  state           VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";

/// A table of the shop, or the copy of the initial stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the variants are the names of the specification's tables")]
pub enum Table {
    Country,
    Author,
    Item,
    Address,
    Customer,
    Orders,
    OrderLine,
    CcXacts,
    ShoppingCart,
    ShoppingCartLine,
    /// `i_id` and `i_stock` as they were right after the population.
    Stock,
}

impl Table {
    /// All of them; those that others refer to come first.
    pub const ALL: [Self; 11] = [
        Self::Country,
        Self::Author,
        Self::Item,
        Self::Address,
        Self::Customer,
        Self::Orders,
        Self::OrderLine,
        Self::CcXacts,
        Self::ShoppingCart,
        Self::ShoppingCartLine,
        Self::Stock,
    ];

    /// Those that the population fills with rows of its own.
    pub const POPULATED: [Self; 8] = [
        Self::Country,
        Self::Author,
        Self::Item,
        Self::Address,
        Self::Customer,
        Self::Orders,
        Self::OrderLine,
        Self::CcXacts,
    ];

    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Author => "author",
            Self::Item => "item",
            Self::Address => "address",
            Self::Customer => "customer",
            Self::Orders => "orders",
            Self::OrderLine => "order_line",
            Self::CcXacts => "cc_xacts",
            Self::ShoppingCart => "shopping_cart",
            Self::ShoppingCartLine => "shopping_cart_line",
            Self::Stock => "tpcw_stock",
        }
    }
}

/// The statements that make the tables, with primary keys only.
pub fn tables() -> Vec<&'static str> {
    statements(include_str!("tables.sql"))
}

/// The statements that add all other keys, one a table.
pub fn indexes() -> Vec<&'static str> {
    statements(include_str!("indexes.sql"))
}

/// Splits a file of ours: statements end in a semicolon at the end of a line, comments before one are left out.
fn statements(file: &'static str) -> Vec<&'static str> {
    file.split(";\n").map(without_leading_comments).filter(|statement| !statement.is_empty()).collect()
}

fn without_leading_comments(text: &'static str) -> &'static str {
    let mut rest = text.trim();
    while rest.starts_with("--") {
        rest = rest.split_once('\n').map_or("", |(_, after)| after.trim_start());
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_one_definition() {
        let definitions = tables();
        assert_eq!(definitions.len(), Table::ALL.len());
        for table in Table::ALL {
            let head = format!("CREATE TABLE {} (", table.name());
            assert_eq!(
                definitions.iter().filter(|text| text.starts_with(&head)).count(),
                1,
                "{}",
                table.name()
            );
        }
    }

    #[test]
    fn indexes_are_one_statement_a_table() {
        let mut names: Vec<_> = indexes().iter().map(|text| text.split_whitespace().nth(2)).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(names.contains(&Some("order_line")));
    }
}
