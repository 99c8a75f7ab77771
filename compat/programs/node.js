// Node's mysql2: text and binary protocol, pool, streams, many statements at once, compression of nothing taken for granted.
// Usage: node node.js HOST PORT USER PASSWORD; prints TAP.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const mysql = require('mysql2/promise');
const plain = require('mysql2');
const { Readable } = require('stream');

const [host, port, user, password] = process.argv.slice(2);
const account = { host, port: Number(port), user, password, database: 'test' };
const cases = [];
const test = (name, run) => cases.push([name, run]);

test('text: types come back as they went', async c => {
  await c.query('CREATE OR REPLACE TABLE js_types (id INT AUTO_INCREMENT PRIMARY KEY, b BIGINT, d DECIMAL(20,5), t DATETIME(6), j JSON, x BLOB, s TEXT, n INT)');
  const [done] = await c.query('INSERT INTO js_types SET ?', { b: '9007199254740993', d: '12345.67890', t: '2024-02-29 12:34:56.123456', j: '{"a": [1]}', x: Buffer.from([0, 255, 39]), s: 'žluťoučký 🐎', n: null });
  assert.strictEqual(done.insertId, 1);
  for (const run of ['query', 'execute']) {
    const [[row]] = await c[run]({ sql: 'SELECT * FROM js_types WHERE id = ?', values: [1], supportBigNumbers: true, bigNumberStrings: true, dateStrings: true });
    assert.strictEqual(String(row.b), '9007199254740993');
    assert.strictEqual(row.d, '12345.67890');
    assert.strictEqual(row.t, '2024-02-29 12:34:56.123456');
    assert.deepStrictEqual(row.x, Buffer.from([0, 255, 39]));
    assert.strictEqual(row.s, 'žluťoučký 🐎');
    assert.strictEqual(row.n, null);
  }
});
test('execute: cached statements, changed parameter types', async c => {
  for (const value of [1, 'text', null, 2.5, Buffer.from('b'), 1n]) {
    const [[row]] = await c.execute('SELECT ? AS v', [value]);
    assert.ok('v' in row);
  }
  for (let n = 0; n < 300; n++) {
    const [[row]] = await c.execute(`SELECT ? + ${n} AS v`, [n]);
    assert.strictEqual(Number(row.v), 2 * n);
  }
});
test('prepare, execute, close', async c => {
  const statement = await c.prepare('SELECT ? * 2 AS v');
  for (let n = 0; n < 20; n++) assert.strictEqual(Number((await statement.execute([n]))[0][0].v), 2 * n);
  await statement.close();
});
test('many statements in one query', async () => {
  const c = await mysql.createConnection({ ...account, multipleStatements: true });
  const [results] = await c.query('SELECT 1 AS a; DO 1; SELECT 2 AS b; CREATE OR REPLACE TABLE js_multi (a INT); INSERT INTO js_multi VALUES (7),(8); SELECT SUM(a) AS s FROM js_multi');
  assert.strictEqual(results.length, 6);
  assert.strictEqual(Number(results[5][0].s), 15);
  await assert.rejects(c.query('SELECT 1; SELECT * FROM js_not_there; SELECT 2'), { code: 'ER_NO_SUCH_TABLE' });
  assert.strictEqual((await c.query('SELECT 5 AS v'))[0][0].v, 5);
  await c.end();
});
test('many statements without asking are refused', async c => {
  await assert.rejects(c.query('SELECT 1; SELECT 2'), { code: 'ER_PARSE_ERROR' });
});
test('procedure with results and OUT parameter', async c => {
  await c.query('CREATE OR REPLACE PROCEDURE js_p(IN a INT, OUT b INT) BEGIN SELECT a AS x; SELECT a + 1 AS y; SET b = a * 10; END');
  const [results] = await c.query('CALL js_p(4, @out)');
  assert.deepStrictEqual([results[0][0].x, Number(results[1][0].y)], [4, 5]);
  assert.strictEqual(Number((await c.query('SELECT @out AS o'))[0][0].o), 40);
  const [prepared] = await c.execute('CALL js_p(?, @out)', [6]);
  assert.deepStrictEqual([prepared[0][0].x, Number(prepared[1][0].y)], [6, 7]);
});
test('transactions: commit, rollback, savepoint', async c => {
  await c.query('CREATE OR REPLACE TABLE js_tx (a INT PRIMARY KEY)');
  await c.beginTransaction(); await c.query('INSERT INTO js_tx VALUES (1)'); await c.commit();
  await c.beginTransaction(); await c.query('INSERT INTO js_tx VALUES (2)'); await c.query('SAVEPOINT s');
  await c.query('INSERT INTO js_tx VALUES (3)'); await c.query('ROLLBACK TO s'); await c.commit();
  await c.beginTransaction(); await c.query('DELETE FROM js_tx'); await c.rollback();
  assert.deepStrictEqual((await c.query('SELECT a FROM js_tx ORDER BY a'))[0].map(r => r.a), [1, 2]);
});
test('pool: 200 statements over 10 connections see what was written before', async () => {
  const pool = mysql.createPool({ ...account, connectionLimit: 10 });
  const one = await pool.getConnection();
  await one.query('CREATE OR REPLACE TABLE js_pool (a INT PRIMARY KEY, b INT)');
  for (let n = 0; n < 20; n++) {
    await one.execute('INSERT INTO js_pool VALUES (?, ?)', [n, n * n]);
    assert.strictEqual((await one.execute('SELECT b FROM js_pool WHERE a = ?', [n]))[0][0].b, n * n);
  }
  one.release();
  await Promise.all(Array.from({ length: 200 }, async (_, n) => {
    const [[row]] = await pool.execute('SELECT ? AS a, CONNECTION_ID() AS id', [n]);
    assert.strictEqual(Number(row.a), n);
  }));
  await pool.end();
});
test('stream of 50,000 rows, with pauses', async () => {
  const c = plain.createConnection(account);
  let rows = 0, sum = 0;
  for await (const row of c.query('SELECT seq FROM seq_1_to_50000').stream({ highWaterMark: 5 })) {
    rows++; sum += Number(row.seq);
    if (rows % 10000 === 0) await new Promise(go => setTimeout(go, 20));
  }
  assert.deepStrictEqual([rows, sum], [50000, 50000 * 50001 / 2]);
  await c.promise().end();
});
test('pipelined statements answer in order', async () => {
  const c = plain.createConnection(account);
  const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => c.promise().query('SELECT ? AS n', [n])));
  answers.forEach(([[row]], n) => assert.strictEqual(row.n, n));
  await c.promise().end();
});
test('parameters and answers of 20 MiB', async c => {
  const big = crypto.randomBytes(20 << 20);
  await c.query('CREATE OR REPLACE TABLE js_big (a LONGBLOB)');
  for (const run of ['query', 'execute']) {
    await c[run]('INSERT INTO js_big VALUES (?)', [big]);
    const [[row]] = await c[run]('SELECT a FROM js_big');
    assert.ok(big.equals(row.a));
    await c.query('TRUNCATE js_big');
  }
});
test('LOCAL INFILE from a stream', async c => {
  await c.query('CREATE OR REPLACE TABLE js_load (a INT, b TEXT)');
  const lines = Array.from({ length: 5000 }, (_, n) => `${n}\tline ${n}\n`).join('');
  const [done] = await c.query({ sql: "LOAD DATA LOCAL INFILE 'memory' INTO TABLE js_load", infileStreamFactory: () => Readable.from([Buffer.from(lines)]) });
  assert.strictEqual(done.affectedRows, 5000);
});
test('errors are those of the server', async c => {
  await assert.rejects(c.query('SELEC 1'), { errno: 1064, sqlState: '42000' });
  await assert.rejects(c.execute('SELECT * FROM js_not_there'), { errno: 1146, sqlState: '42S02' });
  await c.query('CREATE OR REPLACE TABLE js_unique (a INT PRIMARY KEY)');
  await c.query('INSERT INTO js_unique VALUES (1)');
  await assert.rejects(c.query('INSERT INTO js_unique VALUES (1)'), { errno: 1062, sqlState: '23000' });
  const [warned] = await c.query('INSERT IGNORE INTO js_unique VALUES (1)');
  assert.strictEqual(warned.warningStatus, 1);
  assert.strictEqual((await c.query('SHOW WARNINGS'))[0][0].Code, 1062);
});
test('a wrong password is refused', async () => {
  await assert.rejects(mysql.createConnection({ ...account, password: 'wrong' }), { code: 'ER_ACCESS_DENIED_ERROR' });
});
test('an unknown schema is refused', async () => {
  await assert.rejects(mysql.createConnection({ ...account, database: 'js_not_there' }), { code: 'ER_BAD_DB_ERROR' });
});
test('change of user and of schema', async c => {
  await c.changeUser({ user, password, database: 'compat' });
  assert.strictEqual((await c.query('SELECT DATABASE() AS d'))[0][0].d, 'compat');
  await c.query('USE test');
  assert.strictEqual((await c.query('SELECT DATABASE() AS d'))[0][0].d, 'test');
  await c.reset();
});
test('compression', async () => {
  const c = await mysql.createConnection({ ...account, compress: true });
  const [[row]] = await c.query("SELECT REPEAT('compressible ', 100000) AS v");
  assert.strictEqual(row.v.length, 1300000);
  const big = 'x'.repeat(5 << 20);
  assert.strictEqual((await c.execute('SELECT LENGTH(?) AS l', [big]))[0][0].l, 5 << 20);
  await c.end();
});
test('ping', c => c.ping());

(async () => {
  console.log(`1..${cases.length}`);
  let number = 0;
  for (const [name, run] of cases) {
    number++;
    let connection;
    const limit = new Promise((_, fail) => setTimeout(() => fail(new Error('no answer within 60 s')), 60000).unref());
    try {
      connection = await mysql.createConnection(account);
      await Promise.race([run(connection), limit]);
      console.log(`ok ${number} - ${name}`);
    } catch (error) {
      console.log(`not ok ${number} - ${name} # because: ${String(error.message).split('\n')[0]}`);
    } finally {
      if (connection) connection.destroy();
    }
  }
  process.exit(0);
})();
