-- The ten tables of the shop (docs/tpcw.md, section 2) and two of our own: tpcw_load, which says what was loaded, and
-- tpcw_stock, the copy of item(i_id, i_stock) that the stock condition starts from.
--
-- Text is utf8mb4 compared by code point: names in any language are kept as typed, comparing and sorting cost a memcmp,
-- and a client that speaks utf8mb4 (they all do) gets its rows without conversion. Columns that only ever hold the
-- shop's own ASCII words are ascii, which keeps keys and sort buffers short.
--
-- No foreign keys: each insert into orders would take shared locks on the customer and two addresses, each line one
-- on its item, where buy_confirm wants an exclusive lock at once. That is what makes purchases deadlock. The
-- condition `references` reads them all after a run instead.
--
-- Primary keys are in tables.sql because the rows are loaded in their order; everything else is in indexes.sql.

CREATE TABLE country (
  co_id        SMALLINT UNSIGNED NOT NULL PRIMARY KEY,
  co_name      VARCHAR(50) NOT NULL,
  co_exchange  DECIMAL(12,6) NOT NULL,
  co_currency  VARCHAR(18) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE author (
  a_id     INT UNSIGNED NOT NULL PRIMARY KEY,
  a_fname  VARCHAR(20) NOT NULL,
  a_lname  VARCHAR(20) NOT NULL,
  a_mname  VARCHAR(20) NOT NULL,
  a_dob    DATE NOT NULL,
  a_bio    VARCHAR(500) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- i_stock is signed: the stock rule may take it below zero for a moment of large orders.
CREATE TABLE item (
  i_id          INT UNSIGNED NOT NULL PRIMARY KEY,
  i_title       VARCHAR(60) NOT NULL,
  i_a_id        INT UNSIGNED NOT NULL,
  i_pub_date    DATE NOT NULL,
  i_publisher   VARCHAR(60) NOT NULL,
  i_subject     VARCHAR(60) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  i_desc        VARCHAR(500) NOT NULL,
  i_related1    INT UNSIGNED NOT NULL,
  i_related2    INT UNSIGNED NOT NULL,
  i_related3    INT UNSIGNED NOT NULL,
  i_related4    INT UNSIGNED NOT NULL,
  i_related5    INT UNSIGNED NOT NULL,
  i_thumbnail   VARCHAR(40) NOT NULL,
  i_image       VARCHAR(40) NOT NULL,
  i_srp         DECIMAL(17,2) NOT NULL,
  i_cost        DECIMAL(17,2) NOT NULL,
  i_avail       DATE NOT NULL,
  i_stock       INT NOT NULL,
  i_isbn        CHAR(13) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  i_page        SMALLINT UNSIGNED NOT NULL,
  i_backing     VARCHAR(15) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  i_dimensions  VARCHAR(25) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE address (
  addr_id       INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  addr_street1  VARCHAR(40) NOT NULL,
  addr_street2  VARCHAR(40) NOT NULL,
  addr_city     VARCHAR(30) NOT NULL,
  addr_state    VARCHAR(20) NOT NULL,
  addr_zip      VARCHAR(10) NOT NULL,
  addr_co_id    SMALLINT UNSIGNED NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- c_uname may be NULL for the moment between the insert, which gives c_id, and the update that derives the name from it.
CREATE TABLE customer (
  c_id          INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  c_uname       VARCHAR(20) CHARACTER SET ascii COLLATE ascii_bin NULL,
  c_passwd      VARCHAR(20) NULL,
  c_fname       VARCHAR(15) NOT NULL,
  c_lname       VARCHAR(15) NOT NULL,
  c_addr_id     INT UNSIGNED NOT NULL,
  c_phone       VARCHAR(16) NOT NULL,
  c_email       VARCHAR(50) NOT NULL,
  c_since       DATE NOT NULL,
  c_last_login  DATE NOT NULL,
  c_login       DATETIME NOT NULL,
  c_expiration  DATETIME NOT NULL,
  c_discount    DECIMAL(5,2) NOT NULL,
  c_balance     DECIMAL(17,2) NOT NULL,
  c_ytd_pmt     DECIMAL(17,2) NOT NULL,
  c_birthdate   DATE NOT NULL,
  c_data        VARCHAR(500) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- o_token names the acknowledgement that a browser enters in its ledger; initial orders have none. It is deliberately
-- not unique: an order applied twice has to be seen by the audit, not hidden by an error.
CREATE TABLE orders (
  o_id            INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  o_c_id          INT UNSIGNED NOT NULL,
  o_date          DATETIME NOT NULL,
  o_sub_total     DECIMAL(17,2) NOT NULL,
  o_tax           DECIMAL(17,2) NOT NULL,
  o_total         DECIMAL(17,2) NOT NULL,
  o_ship_type     VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  o_ship_date     DATETIME NOT NULL,
  o_bill_addr_id  INT UNSIGNED NOT NULL,
  o_ship_addr_id  INT UNSIGNED NOT NULL,
  o_status        VARCHAR(15) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  o_token         VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE order_line (
  ol_o_id      INT UNSIGNED NOT NULL,
  ol_id        TINYINT UNSIGNED NOT NULL,
  ol_i_id      INT UNSIGNED NOT NULL,
  ol_qty       SMALLINT UNSIGNED NOT NULL,
  ol_discount  DECIMAL(5,2) NOT NULL,
  ol_comments  VARCHAR(100) NOT NULL,
  PRIMARY KEY (ol_o_id, ol_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE cc_xacts (
  cx_o_id       INT UNSIGNED NOT NULL PRIMARY KEY,
  cx_type       VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  cx_num        VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  cx_name       VARCHAR(31) NOT NULL,
  cx_expiry     DATE NOT NULL,
  cx_auth_id    CHAR(15) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  cx_xact_amt   DECIMAL(17,2) NOT NULL,
  cx_xact_date  DATETIME NOT NULL,
  cx_co_id      SMALLINT UNSIGNED NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE shopping_cart (
  sc_id    INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  sc_time  DATETIME NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE shopping_cart_line (
  scl_sc_id  INT UNSIGNED NOT NULL,
  scl_i_id   INT UNSIGNED NOT NULL,
  scl_qty    SMALLINT UNSIGNED NOT NULL,
  PRIMARY KEY (scl_sc_id, scl_i_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE tpcw_stock (
  i_id     INT UNSIGNED NOT NULL PRIMARY KEY,
  i_stock  INT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
