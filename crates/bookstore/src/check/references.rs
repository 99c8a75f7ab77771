//! Condition 1: no row points to a row that does not exist. The tables have no foreign keys, see `schema/tables.sql`.

use super::{Check, CheckError, Condition, condition};

/// Table, its key, the column that refers, the table referred to, its key.
const REFERENCES: [(&str, &str, &str, &str, &str); 18] = [
    ("customer", "c_id", "c_addr_id", "address", "addr_id"),
    ("address", "addr_id", "addr_co_id", "country", "co_id"),
    ("item", "i_id", "i_a_id", "author", "a_id"),
    ("item", "i_id", "i_related1", "item", "i_id"),
    ("item", "i_id", "i_related2", "item", "i_id"),
    ("item", "i_id", "i_related3", "item", "i_id"),
    ("item", "i_id", "i_related4", "item", "i_id"),
    ("item", "i_id", "i_related5", "item", "i_id"),
    ("orders", "o_id", "o_c_id", "customer", "c_id"),
    ("orders", "o_id", "o_bill_addr_id", "address", "addr_id"),
    ("orders", "o_id", "o_ship_addr_id", "address", "addr_id"),
    ("order_line", "ol_o_id", "ol_o_id", "orders", "o_id"),
    ("order_line", "ol_o_id", "ol_i_id", "item", "i_id"),
    ("cc_xacts", "cx_o_id", "cx_o_id", "orders", "o_id"),
    ("cc_xacts", "cx_o_id", "cx_co_id", "country", "co_id"),
    ("shopping_cart_line", "scl_sc_id", "scl_sc_id", "shopping_cart", "sc_id"),
    ("shopping_cart_line", "scl_sc_id", "scl_i_id", "item", "i_id"),
    ("tpcw_stock", "i_id", "i_id", "item", "i_id"),
];

pub(super) async fn references(check: &mut Check<'_>) -> Result<Condition, CheckError> {
    let found = check.count_all(&REFERENCES.map(dangling)).await?;
    Ok(condition("references", "no row points to a row that does not exist", found))
}

fn dangling((table, key, column, parent, parent_key): (&str, &str, &str, &str, &str)) -> String {
    format!(
        "SELECT CONCAT('{table} ', child.{key}, ': {column} ', child.{column}) AS offender
         FROM {table} AS child LEFT JOIN {parent} AS parent ON parent.{parent_key} = child.{column}
         WHERE parent.{parent_key} IS NULL"
    )
}
