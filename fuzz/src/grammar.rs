//! Statements whose effects are known because they were put in: what a classifier must see, however it is dressed up.

/// What a statement does beside reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It locks rows, or asks about what one node alone knows.
    Locks,
    /// It may change something.
    Writes,
    /// It leaves behind what the next statement may see on the same connection only.
    Ties,
}

/// A statement and its effects.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// The text.
    pub text: String,
    /// What was put in.
    pub effects: Vec<Effect>,
}

/// Makes one. `entropy` takes all decisions; where it ends, the first choice is taken.
pub fn statement(entropy: &[u8]) -> Made {
    let mut maker = Maker { entropy, at: 0, depth: 0, made: Made::default() };
    maker.whole();
    maker.made
}

struct Maker<'a> {
    entropy: &'a [u8],
    at: usize,
    depth: usize,
    made: Made,
}

impl Maker<'_> {
    fn choose(&mut self, choices: usize) -> usize {
        let byte = self.entropy.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(byte) % choices
    }

    fn one<'b>(&mut self, choices: &[&'b str]) -> &'b str {
        choices[self.choose(choices.len())]
    }

    fn put(&mut self, text: &str) {
        let sized = self.choose(4) == 3 && !text.contains(['\'', '"', '`', '!']);
        self.made.text.push_str(&if sized { text.to_lowercase() } else { text.to_owned() });
    }

    /// What must or may stand between two words.
    fn gap(&mut self) {
        let gap = self.one(&[
            " ",
            " ",
            " ",
            "\n",
            "\t ",
            "/**/",
            "/* ' */",
            " /* \" */ ",
            "/*`*/",
            " -- '\n",
            "#'\n",
            "\r\n",
            " --\t\"\n",
            "/* /* */",
            "/*!99999 ' */",
            "/*!99999 /* ` */ \" */",
            "/*! */",
            "\x0B",
            "/*M!999999 -- */",
        ]);
        self.made.text.push_str(gap);
    }

    fn words(&mut self, words: &str) {
        for word in words.split(' ') {
            self.gap();
            self.put(word);
        }
    }

    fn maybe_gap(&mut self) {
        if self.choose(3) == 2 {
            self.gap();
        }
    }

    fn effect(&mut self, effect: Effect) {
        self.made.effects.push(effect);
    }

    fn whole(&mut self) {
        if self.choose(8) == 7 {
            self.gap();
        }
        match self.choose(8) {
            0..=3 => self.select(),
            4 => {
                self.made.text.push('(');
                self.select();
                self.made.text.push(')');
                self.words("UNION ALL");
                self.gap();
                self.select();
            }
            5 => {
                self.put("WITH");
                self.words("a");
                self.maybe_gap();
                let columns = self.one(&["", "(`x`)"]);
                self.made.text.push_str(columns);
                self.words("AS");
                self.maybe_gap();
                self.made.text.push('(');
                self.select();
                self.made.text.push(')');
                self.gap();
                self.select();
            }
            6 => {
                let before =
                    self.one(&["SELECT 1;", "SELECT ';';", "SELECT 1 -- ;\n;", "SELECT `a;` FROM t;"]);
                self.made.text.push_str(before);
                self.select();
            }
            _ => {
                self.put("SELECT");
                self.gap();
                self.expression();
                self.made.text.push(';');
                let write = self.one(&[
                    "DELETE FROM t WHERE a < 0",
                    "UPDATE t SET a=a",
                    "/**/INSERT INTO t VALUES (9,'')",
                ]);
                self.made.text.push_str(write);
                self.effect(Effect::Writes);
            }
        }
    }

    fn select(&mut self) {
        self.put("SELECT");
        let modifier = self.one(&["", "", "", "DISTINCT", "SQL_NO_CACHE", "HIGH_PRIORITY", "ALL"]);
        if !modifier.is_empty() {
            self.words(modifier);
        }
        self.gap();
        self.expression();
        if self.choose(2) == 1 {
            self.made.text.push(',');
            self.maybe_gap();
            self.expression();
        }
        if self.choose(3) > 0 {
            self.words("FROM");
            self.gap();
            let table = self.one(&["t", "`t`", "tpcw.t", "`tpcw`.`t`", "t AS `x'y`", "(SELECT 1 AS a) AS t"]);
            self.made.text.push_str(table);
            if self.choose(3) == 1 {
                self.words("WHERE");
                self.gap();
                self.expression();
            }
            if self.choose(5) == 1 {
                self.words("ORDER BY");
                self.gap();
                self.expression();
            }
            if self.choose(5) == 1 {
                self.words("LIMIT");
                self.gap();
                self.made.text.push('5');
            }
        }
        if self.depth == 0 {
            self.end();
        }
    }

    /// What may stand at the end.
    fn end(&mut self) {
        match self.choose(20) {
            10 => {
                self.words("FOR UPDATE");
                self.effect(Effect::Locks);
            }
            11 => {
                self.words("LOCK IN SHARE MODE");
                self.effect(Effect::Locks);
            }
            12 => {
                self.words("INTO");
                self.gap();
                let variable = self.one(&["@x", "@`x`", "@'x'"]);
                self.made.text.push_str(variable);
                self.effect(Effect::Ties);
            }
            13 => {
                self.words("INTO OUTFILE");
                self.made.text.push_str(" '/nowhere/x'");
                self.effect(Effect::Writes);
            }
            14 => {
                let comment =
                    self.one(&["/*!FOR UPDATE*/", "/*!50000FOR UPDATE*/", "/*M!100100 FOR UPDATE */"]);
                self.made.text.push_str(comment);
                self.effect(Effect::Locks);
            }
            _ => {}
        }
    }

    fn expression(&mut self) {
        if self.depth > 3 {
            return self.literal();
        }
        self.depth += 1;
        match self.choose(14) {
            0..=3 => self.literal(),
            4 => {
                let column = self.one(&["a", "`a`", "b", "1", "'b'"]);
                self.made.text.push_str(column);
            }
            5 | 6 => self.call(),
            7 => {
                self.expression();
                let operator =
                    self.one(&["+", "-", "*", " AND ", " OR ", "||", "<=>", " LIKE ", "/", ">=", " DIV "]);
                self.made.text.push_str(operator);
                // Two of these signs begin a comment.
                self.made.text.push(' ');
                self.expression();
            }
            8 => {
                self.made.text.push('(');
                self.select();
                self.words("LIMIT 1");
                self.made.text.push(')');
            }
            9 => {
                self.put("CASE WHEN ");
                self.expression();
                self.words("THEN");
                self.gap();
                self.expression();
                self.words("END");
            }
            10 => {
                self.expression();
                self.words("IN");
                self.maybe_gap();
                self.made.text.push('(');
                self.expression();
                self.made.text.push(')');
            }
            11 => {
                let variable = self.one(&["@y", "@@sql_mode", "@@session.time_zone", "@`y`"]);
                self.made.text.push_str(variable);
            }
            _ => self.hazard(),
        }
        self.depth -= 1;
    }

    fn literal(&mut self) {
        let literal = self.one(&[
            "1",
            "42",
            "'a'",
            "1.5",
            ".5",
            "1e1",
            "0x1F",
            "'it''s'",
            "'a\\'b'",
            "'\\\\'",
            "\"x\"",
            "\"it's\"",
            "'/*'",
            "'-- '",
            "'#'",
            "N'x'",
            "_utf8mb4'x'",
            "NULL",
            "TRUE",
            "DATE'2026-01-01'",
            "b'1'",
            "1e+1",
            "'`'",
            "'\"'",
            "'@x := 1'",
            "''",
        ]);
        self.made.text.push_str(literal);
    }

    fn call(&mut self) {
        let function = self.one(&[
            "UPPER", "CONCAT", "IFNULL", "COALESCE", "LENGTH", "ABS", "REPLACE", "NOW", "RAND", "VERSION",
            "`upper`", "DATABASE",
        ]);
        let name = function.trim_matches('`').to_ascii_uppercase();
        self.put(function);
        if !function.starts_with('`') && matches!(&*name, "UPPER" | "CONCAT" | "ABS") {
            self.maybe_gap();
        }
        self.made.text.push('(');
        let arguments = match &*name {
            "NOW" | "RAND" | "VERSION" | "DATABASE" => 0,
            "IFNULL" => 2,
            "REPLACE" => 3,
            _ => 1,
        };
        for argument in 0..arguments {
            if argument > 0 {
                self.made.text.push(',');
            }
            self.expression();
        }
        self.made.text.push(')');
    }

    /// An expression with an effect.
    fn hazard(&mut self) {
        let (text, effect) = [
            ("@x:=1", Effect::Ties),
            ("@x /* : */ := 'a'", Effect::Ties),
            ("@`x`:=2", Effect::Ties),
            ("NEXTVAL(s)", Effect::Writes),
            ("NEXT VALUE FOR s", Effect::Writes),
            ("NEXT/**/VALUE\nFOR tpcw.s", Effect::Writes),
            ("SETVAL(s, 9)", Effect::Writes),
            ("w(1)", Effect::Ties),
            ("w (1)", Effect::Ties),
            ("`w`(1)", Effect::Ties),
            ("tpcw.w(1)", Effect::Ties),
            ("tpcw . `w` (1)", Effect::Ties),
            ("W/*'*/(1)", Effect::Ties),
            ("GET_LOCK('l', 0)", Effect::Ties),
            ("`get_lock`('l', 0)", Effect::Ties),
            ("GET_LOCK\n('l', 0)", Effect::Ties),
            ("LAST_INSERT_ID(7)", Effect::Ties),
            ("/*!50000 @x := */ 1", Effect::Ties),
            ("/*!w*/(1)", Effect::Ties),
            ("2*/*'*/w(1)", Effect::Ties),
            ("SLEEP(0)", Effect::Locks),
            ("LAST_INSERT_ID()", Effect::Locks),
            ("@@last_insert_id", Effect::Locks),
            ("@@hostname", Effect::Locks),
        ][self.choose(24)];
        self.made.text.push_str(text);
        self.effect(effect);
    }
}
