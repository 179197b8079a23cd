// check.cjs -- proofs and cosigned checkpoints that log-dir wrote, checked with
// the Merkle and checkpoint modules of @sigstore/verify and nothing of VES.
//   node check.cjs NODE_MODULES DIR
const fs = require('fs');
const path = require('path');
const crypto = require('crypto');
const [, , modules, dir] = process.argv;
const inside = (name) => require(path.join(modules, '@sigstore/verify/dist/tlog', name));
const { verifyCheckpoint } = inside('checkpoint.js');
const { verifyMerkleInclusion } = inside('merkle.js');

let checks = 0;
function fail(what) {
  console.log('FAIL', what);
  process.exit(1);
}
function refused(what, run) {
  try {
    run();
  } catch (e) {
    checks++;
    return;
  }
  fail(what + ' was accepted');
}

const [, name, id, key64] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(fs.readFileSync(path.join(dir, 'vkey'), 'utf8').trim());
const raw = Buffer.from(key64, 'base64').subarray(1);
const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]);
const logs = [{ logID: Buffer.from(id, 'hex'), baseURL: 'https://' + name, publicKey: crypto.createPublicKey({ key: spki, format: 'der', type: 'spki' }) }];

const proofs = fs.readdirSync(path.join(dir, 'proofs')).filter((f) => f.endsWith('.tlog-proof'));
if (proofs.length === 0) fail('no proofs');
for (const f of proofs) {
  const text = fs.readFileSync(path.join(dir, 'proofs', f), 'utf8');
  const cut = text.indexOf('\n\n');
  const head = text.slice(0, cut).split('\n');
  const entry = {
    canonicalizedBody: fs.readFileSync(path.join(dir, 'proofs', f.replace('.tlog-proof', '.entry'))),
    inclusionProof: {
      logIndex: head[1].slice('index '.length),
      hashes: head.slice(2).map((h) => Buffer.from(h, 'base64')),
      checkpoint: { envelope: text.slice(cut + 2) },
    },
  };
  const checkpoint = verifyCheckpoint(entry, logs);
  verifyMerkleInclusion(entry, checkpoint);
  checks += 2;
  const other = { ...entry, canonicalizedBody: Buffer.concat([entry.canonicalizedBody, Buffer.from('x')]) };
  refused(f + ' of another entry', () => verifyMerkleInclusion(other, checkpoint));
  const short = { ...entry, inclusionProof: { ...entry.inclusionProof, hashes: entry.inclusionProof.hashes.slice(1) } };
  refused(f + ' without a hash', () => verifyMerkleInclusion(short, checkpoint));
}
for (const f of fs.readdirSync(path.join(dir, 'notes'))) {
  const envelope = fs.readFileSync(path.join(dir, 'notes', f), 'utf8');
  const size = verifyCheckpoint({ inclusionProof: { checkpoint: { envelope } } }, logs).logSize.toString();
  if (size !== f) fail('note ' + f);
  checks++;
  const forged = envelope.replace('\n' + f + '\n', '\n' + f + '0\n');
  refused('a forged note', () => verifyCheckpoint({ inclusionProof: { checkpoint: { envelope: forged } } }, logs));
}
console.log(checks, 'checks');
