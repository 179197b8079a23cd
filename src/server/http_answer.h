/* http_answer.h -- an answer on its way out. */
#ifndef VES_SERVER_HTTP_ANSWER_H
#define VES_SERVER_HTTP_ANSWER_H

#include "os/mhd.h"
#include "server/request.h"

/* Queues what the request was answered, with its headers; its document is given
 * away.  On the connection's thread, once. */
enum MHD_Result ves_http_answer(struct ves_request *request);

#endif
