-- Everything but the primary keys, one statement a table so that each table is read once. What each one is for:
-- author, search by author: a prefix of the last name.
ALTER TABLE author ADD KEY author_name (a_lname);

-- item_new: new products in the order of the page. item_subject: search by subject in the order of the page.
-- item_title: search by title reads titles in order and stops after 50. item_author: search by author.
ALTER TABLE item
  ADD KEY item_new (i_subject, i_pub_date DESC, i_title),
  ADD KEY item_subject (i_subject, i_title),
  ADD KEY item_title (i_title),
  ADD KEY item_author (i_a_id);

-- address_lookup: does the address exist already? Zip and street leave one row; six columns would double the table.
ALTER TABLE address ADD KEY address_lookup (addr_zip, addr_street1);

-- customer_name: login.
ALTER TABLE customer ADD UNIQUE KEY customer_name (c_uname);

-- orders_customer: a customer's latest order (o_id is part of every key); customers' orders for the related items.
ALTER TABLE orders ADD KEY orders_customer (o_c_id, o_date);

-- order_line_item: who bought this item lately (ol_o_id is part of the key).
ALTER TABLE order_line ADD KEY order_line_item (ol_i_id, ol_o_id);

-- country_name: the country of a new address.
ALTER TABLE country ADD UNIQUE KEY country_name (co_name);
