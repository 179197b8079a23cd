/* routes_ingest.c -- POST /api/v1/ves/events/ingest.
 *
 * The work is pipeline.c's; this is the answer.
 */
#include "server/routes.h"
#include "server/server.h"

void ves_ingest_reply(struct ves_request *request)
{
    struct ves_server *server = request->server;
    /* Receipts and verdicts take about 600 bytes an event. */
    (void)ves_buf_reserve(&request->out,
                          512 + request->ingest.count * (size_t)640);
    enum ves_status status = ves_ingest_answer(
        &request->ingest, &server->sequencer, request->dialect, &request->out);
    if (status)
        ves_reply_error(request, 503, NULL,
                        "the events are stored, but the answer could not be "
                        "made: send the same again for the receipts");
    else
        ves_reply(request, 200);
    ves_metric_time(&server->metrics.ingest_us,
                    ves_metric_now_us() - request->started_us);
}

const struct ves_route ves_routes_ingest[] = {
    {VES_METHOD_POST, "/api/v1/ves/events/ingest", VES_ROUTE_INGEST,
     VES_ACCESS_WRITE, false, NULL},
    {.pattern = NULL}};
