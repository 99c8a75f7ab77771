//! Nothing of the population has vanished: no page deletes any of it.

use super::{Check, CheckError, Condition, condition};
use crate::schema::Table;

pub(super) async fn initial_rows(check: &mut Check<'_>) -> Result<Condition, CheckError> {
    let mut found = (0, String::new());
    for (table, key, expected) in initial(check) {
        let name = table.name();
        let sql = format!("SELECT COUNT(*) FROM {name} WHERE {key} <= {expected}");
        let there: u64 = check.first(&sql).await?.unwrap_or_default();
        let missing = u64::from(expected).saturating_sub(there);
        found.0 += missing;
        if missing > 0 && found.1.is_empty() {
            found.1 = format!("{missing} of {expected} rows of {name} are missing");
        }
    }
    Ok(condition("initial_rows", "every row of the population is still there", found))
}

fn initial(check: &Check<'_>) -> [(Table, &'static str, u32); 8] {
    let scale = check.scale;
    [
        (Table::Country, "co_id", 92),
        (Table::Author, "a_id", scale.authors()),
        (Table::Item, "i_id", scale.items),
        (Table::Address, "addr_id", scale.addresses()),
        (Table::Customer, "c_id", scale.customers()),
        (Table::Orders, "o_id", scale.orders()),
        (Table::CcXacts, "cx_o_id", scale.orders()),
        (Table::Stock, "i_id", scale.items),
    ]
}
