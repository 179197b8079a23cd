/* pq.h -- libpq, loaded when a PostgreSQL store is opened.
 *
 * Commands that have nothing to do with PostgreSQL pay nothing for it, and it
 * need not be installed for them.  The only way to its own header; its
 * functions keep their names.
 */
#ifndef VES_PG_PQ_H
#define VES_PG_PQ_H

#include <libpq-fe.h>

#include "ves/ves.h"

/* What is used of it, named as in libpq without "PQ". */
#define VES_PQ_MAP(X)    \
    X(connectdbParams)   \
    X(status)            \
    X(errorMessage)      \
    X(finish)            \
    X(serverVersion)     \
    X(setNoticeReceiver) \
    X(enterPipelineMode) \
    X(sendPrepare)       \
    X(sendQueryPrepared) \
    X(sendQueryParams)   \
    X(pipelineSync)      \
    X(getResult)         \
    X(resultStatus)      \
    X(resultErrorField)  \
    X(clear)             \
    X(ntuples)           \
    X(nfields)           \
    X(fname)             \
    X(getvalue)          \
    X(getlength)         \
    X(getisnull)         \
    X(cmdTuples)         \
    X(cmdStatus)         \
    X(consumeInput)      \
    X(isBusy)            \
    X(socket)            \
    X(conninfoParse)     \
    X(conninfoFree)      \
    X(notifies)          \
    X(backendPID)        \
    X(freemem)

struct ves_pq {
#define X(name) __typeof__(PQ##name) *name;
    VES_PQ_MAP(X)
#undef X
};

/* Complete after ves_pq_load has said VES_OK once. */
extern struct ves_pq ves_pq;

/* From any thread, as often as wanted; before the first of the calls below.
 * VES_IO when it is not installed; the text says what to install. */
VES_NODISCARD enum ves_status ves_pq_load(struct ves_error *error);

#ifndef VES_PG_PQ_C
#define PQconnectdbParams   ves_pq.connectdbParams
#define PQstatus            ves_pq.status
#define PQerrorMessage      ves_pq.errorMessage
#define PQfinish            ves_pq.finish
#define PQserverVersion     ves_pq.serverVersion
#define PQsetNoticeReceiver ves_pq.setNoticeReceiver
#define PQenterPipelineMode ves_pq.enterPipelineMode
#define PQsendPrepare       ves_pq.sendPrepare
#define PQsendQueryPrepared ves_pq.sendQueryPrepared
#define PQsendQueryParams   ves_pq.sendQueryParams
#define PQpipelineSync      ves_pq.pipelineSync
#define PQgetResult         ves_pq.getResult
#define PQresultStatus      ves_pq.resultStatus
#define PQresultErrorField  ves_pq.resultErrorField
#define PQclear             ves_pq.clear
#define PQntuples           ves_pq.ntuples
#define PQnfields           ves_pq.nfields
#define PQfname             ves_pq.fname
#define PQgetvalue          ves_pq.getvalue
#define PQgetlength         ves_pq.getlength
#define PQgetisnull         ves_pq.getisnull
#define PQcmdTuples         ves_pq.cmdTuples
#define PQcmdStatus         ves_pq.cmdStatus
#define PQconsumeInput      ves_pq.consumeInput
#define PQisBusy            ves_pq.isBusy
#define PQsocket            ves_pq.socket
#define PQconninfoParse     ves_pq.conninfoParse
#define PQconninfoFree      ves_pq.conninfoFree
#define PQfreemem           ves_pq.freemem
#define PQnotifies          ves_pq.notifies
#define PQbackendPID        ves_pq.backendPID
#endif

#endif
