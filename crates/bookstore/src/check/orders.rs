//! Conditions 2, 3, 4, 8 and 10: orders, their lines and their cards.

use super::{Check, CheckError, Condition, condition};

/// Condition 2.
pub(super) async fn one_card_per_order(check: &mut Check<'_>) -> Result<Condition, CheckError> {
    let last = check.last_order();
    let without_card = "SELECT CONCAT('order ', o_id, ' has no card') AS offender
         FROM orders LEFT JOIN cc_xacts ON cx_o_id = o_id WHERE cx_o_id IS NULL";
    let without_order = "SELECT CONCAT('card of order ', cx_o_id, ', which does not exist') AS offender
         FROM cc_xacts LEFT JOIN orders ON o_id = cx_o_id WHERE o_id IS NULL";
    let other = format!(
        "SELECT CONCAT('order ', o_id, ': total ', o_total, ', charged ', cx_xact_amt, ', country ',
                       COALESCE(addr_co_id, 'unknown'), ', on the card ', cx_co_id) AS offender
         FROM orders JOIN cc_xacts ON cx_o_id = o_id LEFT JOIN address ON addr_id = o_ship_addr_id
         WHERE o_id > {last} AND NOT (cx_xact_amt <=> o_total AND cx_co_id <=> addr_co_id)"
    );
    let found = check.count_all(&[without_card.to_owned(), without_order.to_owned(), other]).await?;
    Ok(condition(
        "one_card_per_order",
        "each order has exactly one card transaction; a new order's has its total and its shipping country",
        found,
    ))
}

/// Condition 3.
pub(super) async fn order_lines_numbered(check: &mut Check<'_>) -> Result<Condition, CheckError> {
    let found = check
        .count(
            "SELECT CONCAT('order ', o_id, ' has ', COUNT(ol_id), ' lines, ', COALESCE(MIN(ol_id), 0), ' to ',
                           COALESCE(MAX(ol_id), 0)) AS offender
             FROM orders LEFT JOIN order_line ON ol_o_id = o_id
             GROUP BY o_id
             HAVING COUNT(ol_id) NOT BETWEEN 1 AND 100 OR MIN(ol_id) <> 1 OR MAX(ol_id) <> COUNT(ol_id)",
        )
        .await?;
    Ok(condition(
        "order_lines_numbered",
        "each order has 1 to 100 lines, numbered from 1 without gaps",
        found,
    ))
}

/// Condition 4.
pub(super) async fn totals(check: &mut Check<'_>) -> Result<Condition, CheckError> {
    let last = check.last_order();
    let found = check
        .count(&format!(
            "SELECT CONCAT('order ', o_id, ': ', o_sub_total, ' + ', o_tax, ' + 3.00 + ', COALESCE(SUM(ol_qty), 0), ' is not ',
                           o_total) AS offender
             FROM orders LEFT JOIN order_line ON ol_o_id = o_id
             WHERE o_id > {last}
             GROUP BY o_id, o_sub_total, o_tax, o_total
             HAVING o_tax <> ROUND(o_sub_total * 0.0825, 2)
                 OR o_total <> o_sub_total + o_tax + 3.00 + COALESCE(SUM(ol_qty), 0)"
        ))
        .await?;
    Ok(condition(
        "totals",
        "a new order's tax is 8.25 % of its subtotal, its total is subtotal, tax, 3.00 and 1.00 a book",
        found,
    ))
}

/// Condition 8.
pub(super) async fn billing(check: &mut Check<'_>) -> Result<Condition, CheckError> {
    let last = check.last_order();
    let found = check
        .count(&format!(
            "SELECT CONCAT('order ', o_id, ': billed to address ', o_bill_addr_id, ', customer ', o_c_id, ' lives at ',
                           c_addr_id) AS offender
             FROM orders JOIN customer ON c_id = o_c_id WHERE o_id > {last} AND o_bill_addr_id <> c_addr_id"
        ))
        .await?;
    Ok(condition("billing", "a new order is billed to its customer's address", found))
}

/// Condition 10, first half.
pub(super) async fn ship_dates(check: &mut Check<'_>) -> Result<Condition, CheckError> {
    let last = check.last_order();
    let found = check
        .count(&format!(
            "SELECT CONCAT('order ', o_id, ' of ', o_date, ' ships on ', o_ship_date) AS offender
             FROM orders WHERE o_id > {last} AND DATEDIFF(o_ship_date, o_date) NOT BETWEEN 1 AND 7"
        ))
        .await?;
    Ok(condition("ship_dates", "a new order ships 1 to 7 days after its date", found))
}

/// Condition 10, second half. Concurrent purchases take their number and their time one after the other, and nodes'
/// clocks may differ a little: a minute of falling is allowed.
pub(super) async fn order_dates(check: &mut Check<'_>) -> Result<Condition, CheckError> {
    let last = check.last_order();
    let found = check
        .count(&format!(
            "SELECT CONCAT('order ', o_id, ' of ', o_date, ' comes after one of ', latest) AS offender
             FROM (SELECT o_id, o_date,
                          MAX(o_date) OVER (ORDER BY o_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS latest
                   FROM orders WHERE o_id > {last}) AS dated
             WHERE o_date < latest - INTERVAL 60 SECOND"
        ))
        .await?;
    Ok(condition(
        "order_dates",
        "a new order is not dated more than a minute before one of a lower number",
        found,
    ))
}
