//! Conditions 6, 7 and 9: customers, addresses, carts.

use super::{Check, CheckError, Condition, condition};
use crate::digsyl::SYLLABLES;

/// Condition 6. The name is a function of the id, so that it also is unique.
pub(super) async fn customer_names(check: &mut Check<'_>) -> Result<Condition, CheckError> {
    let last = check.scale.customers();
    let name = name_of("CAST(c_id AS CHAR)");
    let found = check
        .count(&format!(
            "SELECT CONCAT('customer ', c_id, ': name ', COALESCE(c_uname, 'none'), ', password ',
                           COALESCE(c_passwd, 'none'), ', balance ', c_balance) AS offender
             FROM customer
             WHERE NOT (c_uname <=> {name} AND c_passwd <=> LOWER({name})) OR (c_id > {last} AND c_balance <> 0)"
        ))
        .await?;
    Ok(condition(
        "customer_names",
        "a customer's name spells the customer's number, the password is the name in lower case, a new balance is 0",
        found,
    ))
}

/// DigSyl in SQL: no syllable holds a digit, so one digit after the other can be replaced.
fn name_of(digits: &str) -> String {
    SYLLABLES.iter().enumerate().fold(digits.to_owned(), |text, (digit, syllable)| {
        format!("REPLACE({text}, '{digit}', '{syllable}')")
    })
}

/// Condition 7. The address is looked up without a lock, so two purchases at one moment may both insert it.
pub(super) async fn addresses_unique(check: &mut Check<'_>) -> Result<Condition, CheckError> {
    let last = check.scale.addresses();
    let found = check
        .count(&format!(
            "SELECT CONCAT('addresses ', MIN(addr_id), ' and ', MAX(addr_id)) AS offender
             FROM address WHERE addr_id > {last}
             GROUP BY addr_street1, addr_street2, addr_city, addr_state, addr_zip, addr_co_id HAVING COUNT(*) > 1"
        ))
        .await?;
    let condition = condition("addresses_unique", "no two new addresses are equal in all six fields", found);
    Ok(Condition { informative: true, ..condition })
}

/// Condition 9.
pub(super) async fn cart_quantities(check: &mut Check<'_>) -> Result<Condition, CheckError> {
    let found = check
        .count(
            "SELECT CONCAT('cart ', scl_sc_id, ': ', SUM(scl_qty), ' books, the fewest in a line ', MIN(scl_qty)) AS offender
             FROM shopping_cart_line GROUP BY scl_sc_id HAVING MIN(scl_qty) < 1 OR SUM(scl_qty) > 100",
        )
        .await?;
    Ok(condition(
        "cart_quantities",
        "a cart's lines have at least one book each and at most 100 together",
        found,
    ))
}
