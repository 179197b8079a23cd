#!/bin/bash
# 22-tls.sh -- TLS: pinned by the invitation, or trusted by the machine, or not
# at all; hostile certificates.
. "$(dirname "$0")/../lib/tap.sh"
cd "$T" || exit 1

# certificate NAME KEY SUBJECT-ALT-NAME [FAKETIME]
certificate()
{
	${4:+faketime "$4"} openssl req -x509 -key "$2" -out "$1" -days 30 -subj "/CN=$1" -addext "subjectAltName=$3" 2> openssl.err
}
for k in right wrong; do openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $k.key 2> /dev/null; done
certificate right.pem right.key IP:127.0.0.1
certificate wrong.pem wrong.key IP:127.0.0.1
certificate other-name.pem right.key DNS:shop.example
have_expired=
command -v faketime > /dev/null && certificate expired.pem right.key IP:127.0.0.1 '400 days ago' && have_expired=1

SEQ=$T/hub.db
TENANT=$(cat /proc/sys/kernel/random/uuid) STORE=$(cat /proc/sys/kernel/random/uuid)
free_port
port=$FREE_PORT
# serve CERT KEY
serve()
{
	stop_server 2> /dev/null
	LISTEN=127.0.0.1:$port start_server "$SEQ" --tls-cert "$1" --tls-key "$2" || return 1
	URL=https://127.0.0.1:$port
}
SERVER_PID=
invite() { "$VES" admin invite --server "$URL" --key-file "$SEQ.admin-key" --tenant "$TENANT" --store "$STORE" --uses 0 "$@" | tail -n 1; }

serve right.pem right.key || exit 1
exits "a certificate nobody vouches for: nothing is asked (exit 4)" 4 "$VES" admin invite --server "$URL" --key-file "$SEQ.admin-key" --tenant "$TENANT" --store "$STORE"
like "and says so" "$("$VES" admin invite --server "$URL" --key-file "$SEQ.admin-key" 2>&1)" "certificate does not verify.*nothing was sent.*--ca FILE"
exits "with another CA neither" 4 "$VES" admin invite --server "$URL" --key-file "$SEQ.admin-key" --ca wrong.pem
invite --ca right.pem > invitation
like "named by hand it is trusted" "$(cat invitation)" "^ves1\."
pin=$(openssl pkey -in right.key -pubout -outform der 2> /dev/null | sha256sum | cut -d' ' -f1)
is "and the invitation pins its key" "$(python3 -c "
import sys; sys.path.insert(0, '$HERE/test/lib')
import vestest; print(vestest.invitation(open('invitation').read())['tlsKey'])")" "$pin"
check "a till joins with nothing but the invitation" "$VES" init --db till.db --invite @invitation
adjust till.db MUG 1
check "and syncs" "$VES" sync --db till.db
like "keys shows the pin" "$("$VES" keys --db till.db --json)" "\"tlsKey\":\"0x$pin\""

# Another key at the same address: what does it get to see?
stop_server
cat > listen.py <<'P'
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("wrong.pem", "wrong.key")
s = socket.create_server(("127.0.0.1", int(sys.argv[1])), reuse_port=False)
open("ready", "w").close()
while True:
    connection = s.accept()[0]
    try:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.settimeout(2)
            data = tls.recv(65536)
            with open("seen", "ab") as seen:
                seen.write(data)
    except OSError:
        pass
P
"$PYTHON" listen.py "$port" & listener=$!
tap_pids+=("$listener")
wait_for 60 test -e ready
adjust till.db MUG 1
exits "another key: not reached (exit 4)" 4 "$VES" sync --db till.db
like "and says which key it wants" "$("$VES" sync --db till.db 2>&1)" "another TLS key than the invitation pinned; nothing was sent"
exits "nobody joins there either" 4 "$VES" init --db lured.db --invite @invitation
[ ! -e lured.db ] && ok "and no store is made" || not_ok "and no store is made"
if [ -s seen ]; then not_ok "not one byte was told"; else ok "not one byte was told"; fi
{ kill "$listener"; wait "$listener"; } 2> /dev/null

serve wrong.pem wrong.key
exits "the sequencer itself with another key: not reached" 4 "$VES" sync --db till.db
is "the events wait" "$(store_is till.db 'd["counts"]["pending"]')" 1
serve other-name.pem right.key
check "another name in the certificate, the same key: it syncs" "$VES" sync --db till.db
exits "without a pin that name is refused" 4 "$VES" admin invite --server "$URL" --key-file "$SEQ.admin-key" --ca other-name.pem
if [ -n "$have_expired" ]; then
	serve expired.pem right.key
	adjust till.db MUG 1
	check "an expired certificate, the same key: it syncs" "$VES" sync --db till.db
	exits "without a pin it is refused" 4 "$VES" admin invite --server "$URL" --key-file "$SEQ.admin-key" --ca expired.pem
	certificate expired-wrong.pem wrong.key IP:127.0.0.1 '400 days ago'
	serve expired-wrong.pem wrong.key
	exits "an expired certificate of another key: not reached" 4 "$VES" sync --db till.db
else
	skip "expired certificates" "faketime is not installed, or openssl does not heed it"
fi

# A pin tampered with in the string is noticed only where it leads, but the
# server's identity is under it; a till with a pin never falls back to plain HTTP.
serve right.pem right.key
is "plain HTTP to the TLS port is no answer" "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/health")" 000
exits "for ves neither" 4 "$VES" admin invite --server "http://127.0.0.1:$port" --key-file "$SEQ.admin-key"
is "the TLS port talks to who trusts it" "$(curl -s --cacert right.pem -o /dev/null -w '%{http_code}' "$URL/health")" 200
for old in tls1 tls1_1; do
	if openssl s_client -connect "127.0.0.1:$port" -$old -cipher 'DEFAULT@SECLEVEL=0' < /dev/null > s_client 2>&1 && grep -q "^New, TLSv1" s_client; then
		not_ok "no $old"
	else
		ok "no $old"
	fi
done
mkfifo held
openssl s_client -connect "127.0.0.1:$port" < held > s_client 2>&1 &
tap_pids+=("$!")
exec {held}> held
check "a TLS connection is open" wait_for 60 grep -q '^SSL handshake has read' s_client
kill -TERM "$SERVER_PID"
has_ended() { ! kill -0 "$SERVER_PID"; }
check "it ends well beside it" wait_for 60 has_ended
exec {held}>&-

# Another certificate without a restart: for new connections; a wrong one is not taken.
stop_server
cp right.pem live.pem; cp right.key live.key
LISTEN=127.0.0.1:$port start_server "$SEQ" --tls-cert live.pem --tls-key live.key || exit 1
seen() { openssl s_client -connect "127.0.0.1:$port" < /dev/null 2> /dev/null | openssl x509 -noout -fingerprint 2> /dev/null; }
is_cert() { [ "$(seen)" = "$(openssl x509 -noout -fingerprint -in "$1")" ]; }
check "the certificate it began with" is_cert right.pem
cp other-name.pem live.pem
kill -HUP "$SERVER_PID"
check "SIGHUP: the one that lies there now" wait_for 30 is_cert other-name.pem
cp wrong.pem live.pem
kill -HUP "$SERVER_PID"
check "another key's: it says so" wait_for 30 grep -q "is not the private key.*stays" "$SEQ.log"
check "and keeps what it has" is_cert other-name.pem
cp wrong.key live.key
kill -HUP "$SERVER_PID"
check "with that key: taken" wait_for 30 is_cert wrong.pem
check "and what stores will say to it is told" grep -q "stores that joined by an invitation" "$SEQ.log"

# Only clients with a certificate.
for ca in shops others; do
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $ca.key -out $ca.pem -days 30 -subj "/CN=$ca" 2> /dev/null
done
# client NAME CA PURPOSE DAYS
client()
{
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2> /dev/null
	openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days 30 -out "$1.pem" -extfile <(echo "extendedKeyUsage=$3") 2> /dev/null
}
client till-1 shops clientAuth; client stranger others clientAuth; client server-only shops serverAuth
stop_server
LISTEN=127.0.0.1:$port start_server "$SEQ" --tls-cert right.pem --tls-key right.key --tls-client-ca shops.pem || exit 1
URL=https://127.0.0.1:$port
health() { curl -s --cacert right.pem "$@" -o answer -w '%{http_code}' "$URL/health"; }
is "a client of the shops' authority comes in" "$(health --cert till-1.pem --key till-1.key)" 200
for who in stranger server-only; do is "not $who" "$(health --cert $who.pem --key $who.key)" 403; done
is "nor one without" "$(health)" 403
like "and is told" "$(cat answer)" CLIENT_CERTIFICATE_REQUIRED
adjust till.db MUG 1
check "a store shows the certificate it was given" env VES_TLS_CERT=till-1.pem VES_TLS_KEY=till-1.key "$VES" sync --db till.db
adjust till.db MUG 1
exits "without it is refused (exit 5)" 5 "$VES" sync --db till.db
check "with the certificate again: nothing was lost" env VES_TLS_CERT=till-1.pem VES_TLS_KEY=till-1.key "$VES" sync --db till.db
stop_server

# Listening.
refuses() { timeout 60 "$VES" serve --db never.db --listen "$@" > out 2>&1; [ $? -ne 0 ] && [ $? -ne 124 ]; }
check "off loopback without a certificate: refused" refuses 0.0.0.0:0
like "with what to do" "$("$VES" serve --db never.db --listen 0.0.0.0:0 2>&1)" "not loopback.*--tls-cert"
check "so is [::]" refuses '[::]:0'
check "a certificate without its key: refused" refuses 127.0.0.1:0 --tls-cert right.pem
check "a certificate with another key: refused" refuses 127.0.0.1:0 --tls-cert right.pem --tls-key wrong.key
check "a certificate that is none: refused" refuses 127.0.0.1:0 --tls-cert right.key --tls-key right.key
check "a file that is not there: refused" refuses 127.0.0.1:0 --tls-cert nothing.pem --tls-key right.key
like "off loopback without a head file: refused" "$("$VES" serve --db never.db --listen 0.0.0.0:0 --tls-cert right.pem --tls-key right.key 2>&1)" "--head-file"
start_server taken.db --tls-cert right.pem --tls-key right.key
check "a port that is taken: refused" refuses "$(cat taken.db.port)"
stop_server
is "and nothing of what was refused lies about" "$(ls never.db* 2> /dev/null)" ""
mkdir -p elsewhere open
LISTEN=0.0.0.0:0 start_server open/open.db --tls-cert right.pem --tls-key right.key --head-file elsewhere/heads && ok "off loopback with TLS" || not_ok "off loopback with TLS"
stop_server
done_testing
