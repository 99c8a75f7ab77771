//! Every statement of the shop, with its place in [`ALL`].
//!
//! All are prepared once a connection. Reads are single autocommitted statements wherever a page allows it, so that a
//! balancer may send them to replicas; see [`crate::interaction`] for why that is consistent enough. Times come from the
//! server (`NOW()`), money is DECIMAL, ids are given by AUTO_INCREMENT.

use crate::store::Statement;

macro_rules! statements {
    ($($(#[$doc:meta])+ $id:ident $name:literal $sql:expr;)+) => {
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "they count the statements below, by name")]
        enum Id { $($id),+ }

        $($(#[$doc])+ pub static $id: Statement = Statement { id: Id::$id as usize, name: $name, sql: $sql };)+

        /// All statements by id. Connections keep their prepared handles in an array of this length.
        pub static ALL: [&Statement; [$(Id::$id),+].len()] = [$(&$id),+];
    };
}

/// Columns of a list page.
macro_rules! list {
    ($rest:literal) => {
        concat!("SELECT i_id, i_title, a_fname, a_lname FROM ", $rest)
    };
}

/// An INSERT of several order lines at once.
macro_rules! order_lines {
    ($($row:literal)+) => {
        concat!(
            "INSERT INTO order_line (ol_o_id, ol_id, ol_i_id, ol_qty, ol_discount, ol_comments) VALUES ",
            "(?, ?, ?, ?, ?, ?)" $(, $row)+
        )
    };
}

statements! {
    /// The greeting. 1: c_id.
    CUSTOMER_NAME "customer_name" "SELECT c_fname, c_lname FROM customer WHERE c_id = ?";

    /// The user name in a form. 1: c_id.
    CUSTOMER_UNAME "customer_uname" "SELECT c_uname FROM customer WHERE c_id = ?";

    /// The promotion block: items related to one. 1: i_id. Two look-ups by primary key.
    PROMOTION "promotion"
        "SELECT r.i_id, r.i_thumbnail FROM item p JOIN item r \
         ON r.i_id IN (p.i_related1, p.i_related2, p.i_related3, p.i_related4, p.i_related5) WHERE p.i_id = ?";

    /// What stands in for an empty cart. 1: i_id.
    FIRST_RELATED "first_related" "SELECT i_related1 FROM item WHERE i_id = ?";

    /// 1: subject. Reads 50 entries of item_new in its order.
    NEW_PRODUCTS "new_products" list!(
        "item JOIN author ON a_id = i_a_id WHERE i_subject = ? ORDER BY i_pub_date DESC, i_title LIMIT 50");

    /// 1: subject. Adds up the lines of the 3,333 newest orders, a range of the primary key: about 10,000 rows however
    /// large the shop is. The other way round, from the subject's items, reads all the lines that they ever had.
    BEST_SELLERS "best_sellers" list!(
        "(SELECT ol_i_id, SUM(ol_qty) AS sold FROM order_line FORCE INDEX (PRIMARY) \
          WHERE ol_o_id > (SELECT GREATEST(MAX(o_id), 3333) - 3333 FROM orders) GROUP BY ol_i_id) lately \
         JOIN item ON i_id = ol_i_id JOIN author ON a_id = i_a_id WHERE i_subject = ? \
         ORDER BY sold DESC, i_id LIMIT 50");

    /// 1: beginning of the last name. A range of author_name.
    SEARCH_AUTHOR "search_author" list!(
        "author JOIN item ON i_a_id = a_id WHERE a_lname LIKE CONCAT(?, '%') ORDER BY i_title LIMIT 50");

    /// 1: a word anywhere in the title. Reads item_title, which is narrow and in the page's order, until 50 are found.
    SEARCH_TITLE "search_title"
        "SELECT item.i_id, item.i_title, a_fname, a_lname FROM \
         (SELECT i_id FROM item FORCE INDEX (item_title) WHERE i_title LIKE CONCAT('%', ?, '%') \
          ORDER BY i_title LIMIT 50) found \
         JOIN item ON item.i_id = found.i_id JOIN author ON a_id = i_a_id ORDER BY item.i_title";

    /// 1: subject. Reads 50 entries of item_subject in its order.
    SEARCH_SUBJECT "search_subject" list!(
        "item JOIN author ON a_id = i_a_id WHERE i_subject = ? ORDER BY i_title LIMIT 50");

    /// An item with its author. 1: i_id.
    ITEM_DETAIL "item_detail"
        "SELECT i_id, i_title, a_fname, a_lname, CAST(i_pub_date AS CHAR), i_publisher, i_subject, i_desc, i_thumbnail, \
         i_image, i_srp, i_cost, CAST(i_avail AS CHAR), i_isbn, i_page, i_backing, i_dimensions \
         FROM item JOIN author ON a_id = i_a_id WHERE i_id = ?";

    /// A new cart.
    CART_CREATE "cart_create" "INSERT INTO shopping_cart (sc_time) VALUES (NOW())";

    /// Marks a cart as used, and locks it. 1: sc_id.
    CART_TOUCH "cart_touch" "UPDATE shopping_cart SET sc_time = NOW() WHERE sc_id = ?";

    /// One piece more. 1: sc_id, 2: i_id.
    CART_ADD "cart_add"
        "INSERT INTO shopping_cart_line (scl_sc_id, scl_i_id, scl_qty) VALUES (?, ?, 1) \
         ON DUPLICATE KEY UPDATE scl_qty = scl_qty + 1";

    /// 1: quantity, 2: sc_id, 3: i_id.
    CART_SET "cart_set" "UPDATE shopping_cart_line SET scl_qty = ? WHERE scl_sc_id = ? AND scl_i_id = ?";

    /// 1: sc_id, 2: i_id.
    CART_DROP "cart_drop" "DELETE FROM shopping_cart_line WHERE scl_sc_id = ? AND scl_i_id = ?";

    /// 1: sc_id. No row: no such cart. One row of NULLs: an empty one.
    CART_LINES "cart_lines"
        "SELECT scl_i_id, scl_qty, i_title, i_cost, i_srp, i_backing FROM shopping_cart \
         LEFT JOIN shopping_cart_line ON scl_sc_id = sc_id LEFT JOIN item ON i_id = scl_i_id \
         WHERE sc_id = ? ORDER BY scl_i_id";

    /// A returning customer. 1: c_uname.
    LOGIN "login"
        "SELECT c_passwd, c_id, c_uname, c_fname, c_lname, c_discount, addr_street1, addr_street2, addr_city, addr_state, \
         addr_zip, co_name FROM customer JOIN address ON addr_id = c_addr_id JOIN country ON co_id = addr_co_id \
         WHERE c_uname = ?";

    /// Notes the login of a customer who has the right password, and locks the row. Comes before [`LOGIN`], so that what is
    /// read then is what was locked. 1: c_uname, 2: c_passwd.
    LOGIN_STAMP "login_stamp"
        "UPDATE customer SET c_login = NOW(), c_expiration = NOW() + INTERVAL 2 HOUR WHERE c_uname = ? AND c_passwd = ?";

    /// The country of an address, and the address if it exists already, else NULL. 1 to 5: street1, street2, city, state,
    /// zip, 6: name of the country.
    ADDRESS_FIND "address_find"
        "SELECT co_id, addr_id FROM country LEFT JOIN address ON addr_street1 = ? AND addr_street2 = ? AND addr_city = ? \
         AND addr_state = ? AND addr_zip = ? AND addr_co_id = co_id WHERE co_name = ? ORDER BY addr_id LIMIT 1";

    /// 1 to 5: street1, street2, city, state, zip, 6: co_id.
    ADDRESS_INSERT "address_insert"
        "INSERT INTO address (addr_street1, addr_street2, addr_city, addr_state, addr_zip, addr_co_id) \
         VALUES (?, ?, ?, ?, ?, ?)";

    /// 1, 2: names, 3: addr_id, 4: phone, 5: e-mail, 6: discount, 7: age in days, 8: data. The name to log in with follows
    /// from the id, hence [`CUSTOMER_INSERT_UNAME`].
    CUSTOMER_INSERT "customer_insert"
        "INSERT INTO customer (c_fname, c_lname, c_addr_id, c_phone, c_email, c_discount, c_birthdate, c_data, c_since, \
         c_last_login, c_login, c_expiration, c_balance, c_ytd_pmt) \
         VALUES (?, ?, ?, ?, ?, ?, CURRENT_DATE - INTERVAL ? DAY, ?, CURRENT_DATE, CURRENT_DATE, NOW(), \
         NOW() + INTERVAL 2 HOUR, 0, 0)";

    /// 1: c_uname, 2: c_passwd, 3: c_id.
    CUSTOMER_INSERT_UNAME "customer_insert_uname"
        "UPDATE customer SET c_uname = ?, c_passwd = ? WHERE c_id = ?";

    /// What buy confirm needs to know: a row for each line of the cart, by item; none if the cart is empty. Locks the lines,
    /// so that a cart is bought once, and then their items in the order of their ids, so that purchases cannot deadlock
    /// each other and prices hold until COMMIT. 1: c_id, 2: sc_id.
    CHECKOUT "checkout"
        "SELECT c_discount, c_addr_id, addr_co_id, scl_i_id, scl_qty, i_cost FROM customer \
         STRAIGHT_JOIN address ON addr_id = c_addr_id STRAIGHT_JOIN shopping_cart_line \
         STRAIGHT_JOIN item ON i_id = scl_i_id WHERE c_id = ? AND scl_sc_id = ? ORDER BY scl_i_id FOR UPDATE";

    /// 1: c_id, 2: sub-total, 3: tax, 4: total, 5: ship type, 6: days to shipping, 7: billing address, 8: shipping address,
    /// 9: token or NULL.
    ORDER_INSERT "order_insert"
        "INSERT INTO orders (o_c_id, o_date, o_sub_total, o_tax, o_total, o_ship_type, o_ship_date, o_bill_addr_id, \
         o_ship_addr_id, o_status, o_token) \
         VALUES (?, NOW(), ?, ?, ?, ?, NOW() + INTERVAL ? DAY, ?, ?, 'PENDING', ?)";

    /// One line. Each: o_id, ol_id, i_id, quantity, discount, comments.
    ORDER_LINES_1 "order_lines_1"
        "INSERT INTO order_line (ol_o_id, ol_id, ol_i_id, ol_qty, ol_discount, ol_comments) VALUES (?, ?, ?, ?, ?, ?)";

    /// Two lines.
    ORDER_LINES_2 "order_lines_2" order_lines!(", (?, ?, ?, ?, ?, ?)");

    /// Three lines.
    ORDER_LINES_3 "order_lines_3" order_lines!(", (?, ?, ?, ?, ?, ?)" ", (?, ?, ?, ?, ?, ?)");

    /// Four lines.
    ORDER_LINES_4 "order_lines_4"
        order_lines!(", (?, ?, ?, ?, ?, ?)" ", (?, ?, ?, ?, ?, ?)" ", (?, ?, ?, ?, ?, ?)");

    /// Eight lines.
    ORDER_LINES_8 "order_lines_8" order_lines!(
        ", (?, ?, ?, ?, ?, ?)" ", (?, ?, ?, ?, ?, ?)" ", (?, ?, ?, ?, ?, ?)" ", (?, ?, ?, ?, ?, ?)"
        ", (?, ?, ?, ?, ?, ?)" ", (?, ?, ?, ?, ?, ?)" ", (?, ?, ?, ?, ?, ?)");

    /// The stock rule for all lines of a cart, on rows that [`CHECKOUT`] has locked. 1: sc_id. At least 10 must be left,
    /// or 21 come in. The quantity is unsigned and a stock may be less: hence the casts.
    STOCK_TAKE "stock_take"
        "UPDATE shopping_cart_line STRAIGHT_JOIN item ON i_id = scl_i_id \
         SET i_stock = IF(i_stock - CAST(scl_qty AS SIGNED) >= 10, i_stock - CAST(scl_qty AS SIGNED), \
                          i_stock - CAST(scl_qty AS SIGNED) + 21) WHERE scl_sc_id = ?";

    /// 1: o_id, 2: type, 3: number, 4: name, 5: days to expiry, 6: authorisation, 7: amount, 8: co_id.
    CARD_INSERT "card_insert"
        "INSERT INTO cc_xacts (cx_o_id, cx_type, cx_num, cx_name, cx_expiry, cx_auth_id, cx_xact_amt, cx_xact_date, \
         cx_co_id) VALUES (?, ?, ?, ?, CURRENT_DATE + INTERVAL ? DAY, ?, ?, NOW(), ?)";

    /// 1: sc_id.
    CART_EMPTY "cart_empty" "DELETE FROM shopping_cart_line WHERE scl_sc_id = ?";

    /// A customer's latest order, whole: a row for each line; NULLs for one who never ordered. 1, 2: c_uname. One statement
    /// is one snapshot, so an order is never seen without its lines.
    ORDER_LATEST "order_latest"
        "SELECT c_passwd, c_id, o_id, o_token, CAST(o_date AS CHAR), o_sub_total, o_tax, o_total, o_ship_type, \
         CAST(o_ship_date AS CHAR), o_status, cx_type, \
         b.addr_street1, b.addr_street2, b.addr_city, b.addr_state, b.addr_zip, bc.co_name, \
         s.addr_street1, s.addr_street2, s.addr_city, s.addr_state, s.addr_zip, sc.co_name, \
         ol_i_id, i_title, i_publisher, i_cost, ol_qty, ol_discount, ol_comments \
         FROM customer LEFT JOIN orders ON o_id = \
         (SELECT latest.o_id FROM customer me JOIN orders latest ON latest.o_c_id = me.c_id WHERE me.c_uname = ? \
          ORDER BY latest.o_date DESC, latest.o_id DESC LIMIT 1) \
         LEFT JOIN cc_xacts ON cx_o_id = o_id \
         LEFT JOIN address b ON b.addr_id = o_bill_addr_id LEFT JOIN country bc ON bc.co_id = b.addr_co_id \
         LEFT JOIN address s ON s.addr_id = o_ship_addr_id LEFT JOIN country sc ON sc.co_id = s.addr_co_id \
         LEFT JOIN order_line ON ol_o_id = o_id LEFT JOIN item ON i_id = ol_i_id \
         WHERE c_uname = ? ORDER BY ol_id LIMIT 100";

    /// What buyers of an item (within the 10,000 newest orders) bought most, in all their orders. 1, 2: i_id.
    RELATED "related"
        "SELECT bought.ol_i_id FROM \
         (SELECT DISTINCT o_c_id FROM order_line STRAIGHT_JOIN orders ON o_id = ol_o_id WHERE ol_i_id = ? \
          AND ol_o_id > (SELECT GREATEST(MAX(o_id), 10000) - 10000 FROM orders)) buyers \
         STRAIGHT_JOIN orders theirs ON theirs.o_c_id = buyers.o_c_id \
         STRAIGHT_JOIN order_line bought ON bought.ol_o_id = theirs.o_id \
         WHERE bought.ol_i_id <> ? GROUP BY bought.ol_i_id ORDER BY SUM(bought.ol_qty) DESC, bought.ol_i_id LIMIT 5";

    /// 1: cost, 2: image, 3: thumbnail, 4 to 8: related items, 9: i_id.
    ITEM_UPDATE "item_update"
        "UPDATE item SET i_cost = ?, i_image = ?, i_thumbnail = ?, i_related1 = ?, i_related2 = ?, i_related3 = ?, \
         i_related4 = ?, i_related5 = ?, i_pub_date = CURRENT_DATE WHERE i_id = ?";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_places() {
        for (place, statement) in ALL.iter().enumerate() {
            assert_eq!(statement.id, place, "{}", statement.name);
        }
    }

    #[test]
    fn names_are_their_own() {
        let mut names: Vec<_> = ALL.iter().map(|statement| statement.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn order_lines_take_six_values_each() {
        let cases = [&ORDER_LINES_1, &ORDER_LINES_2, &ORDER_LINES_3, &ORDER_LINES_4, &ORDER_LINES_8];
        for (statement, lines) in cases.into_iter().zip([1, 2, 3, 4, 8]) {
            assert_eq!(statement.sql.matches('?').count(), 6 * lines, "{}", statement.name);
        }
    }
}
