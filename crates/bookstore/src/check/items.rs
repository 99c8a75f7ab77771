//! Conditions 5 and 12: the stock, and the related items.

use super::{Check, CheckError, Condition, condition};

/// Condition 5, the sharpest single test: stock now, less stock at the start, plus what was sold, is 21 × the number of
/// refills, of which there is at most one a new line. Nearly every lost or doubled update breaks it.
pub(super) async fn stock(check: &mut Check<'_>) -> Result<Condition, CheckError> {
    let last = check.last_order();
    let found = check
        .count(&format!(
            "SELECT CONCAT('item ', item.i_id, ': stock ', first.i_stock, ', sold ', COALESCE(sold, 0), ' in ',
                           COALESCE(new_lines, 0), ' lines, now ', item.i_stock) AS offender
             FROM item
             JOIN tpcw_stock AS first ON first.i_id = item.i_id
             LEFT JOIN (SELECT ol_i_id, CAST(SUM(ol_qty) AS SIGNED) AS sold, COUNT(*) AS new_lines
                        FROM order_line WHERE ol_o_id > {last} GROUP BY ol_i_id) AS sales ON ol_i_id = item.i_id
             WHERE item.i_stock - first.i_stock + COALESCE(sold, 0) < 0
                OR (item.i_stock - first.i_stock + COALESCE(sold, 0)) % 21 <> 0
                OR item.i_stock - first.i_stock + COALESCE(sold, 0) > 21 * COALESCE(new_lines, 0)"
        ))
        .await?;
    Ok(condition(
        "stock",
        "each item's stock is what it was, less what was sold, plus whole refills of 21",
        found,
    ))
}

/// Condition 12.
pub(super) async fn related_items(check: &mut Check<'_>) -> Result<Condition, CheckError> {
    let items = check.scale.items;
    let columns = ["i_related1", "i_related2", "i_related3", "i_related4", "i_related5"];
    let mut wrong: Vec<String> =
        columns.iter().map(|column| format!("{column} NOT BETWEEN 1 AND {items}")).collect();
    for (place, first) in columns.iter().enumerate() {
        wrong.extend(columns[place + 1..].iter().map(|second| format!("{first} = {second}")));
    }
    let found = check
        .count(&format!(
            "SELECT CONCAT('item ', i_id, ': ', CONCAT_WS(', ', {})) AS offender FROM item WHERE {}",
            columns.join(", "),
            wrong.join(" OR ")
        ))
        .await?;
    Ok(condition("related_items", "each item has five different related items, all of the shop", found))
}
