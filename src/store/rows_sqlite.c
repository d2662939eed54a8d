// Rows in SQLite: one table for all, one connection behind a mutex. SQLite admits one writer at a
// time anyway, and reads here are single look-ups, so more connections would buy little.
//
// The file is checked when it is opened: not a database, another program's database, or one that
// a newer Saccade wrote are refused and left untouched.
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/rows_internal.h"

enum { SCHEMA_VERSION = 1, BUSY_TIMEOUT_MS = 5000 };

static const char schema[] =
    "CREATE TABLE rows (tbl TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
    " rev INTEGER NOT NULL, PRIMARY KEY (tbl, key)) WITHOUT ROWID;"
    "PRAGMA user_version = 1;";

enum statement { INSERT, UPDATE, GET, REMOVE, LIST, STATEMENTS };

// Parameters: 1 table, 2 key, 3 value, 4 revision or limit.
static const char *const statement_sql[STATEMENTS] = {
    [INSERT] = "INSERT INTO rows (tbl, key, value, rev) VALUES (?1, ?2, ?3, 1)"
               " ON CONFLICT DO NOTHING",
    [UPDATE] = "UPDATE rows SET value = ?3, rev = rev + 1"
               " WHERE tbl = ?1 AND key = ?2 AND (?4 = 0 OR rev = ?4)",
    [GET] = "SELECT key, value, rev FROM rows WHERE tbl = ?1 AND key = ?2",
    [REMOVE] = "DELETE FROM rows WHERE tbl = ?1 AND key = ?2",
    [LIST] = "SELECT key, value, rev FROM rows WHERE tbl = ?1 AND key > ?2 ORDER BY key"
             " LIMIT ?4",
};

struct sqlite_rows {
    sc_rows rows;
    sc_log *log;
    bool lock_made;
    pthread_mutex_t lock;
    // Under lock:
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
};

// The code for an SQLite result; for I/O errors the operating system's reason decides.
static int error_code(sqlite3 *db, int result)
{
    switch (result & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
        return SC_OK;
    case SQLITE_FULL:
        return SC_ENOSPACE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return SC_EBUSY;
    case SQLITE_NOMEM:
        return SC_ENOMEM;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return SC_EDENIED;
    case SQLITE_TOOBIG:
        return SC_ELIMIT;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return SC_EDATA;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: {
        int code = sc_error_from_errno(db ? sqlite3_system_errno(db) : EIO);
        return code == SC_ENOSPACE || code == SC_EDENIED ? code : SC_EIO;
    }
    default:
        return SC_EINTERNAL;
    }
}

static int failed(struct sqlite_rows *sql, int result, const char *what)
{
    int code = error_code(sql->db, result);
    SC_ERROR(sql->log, "database access failed", SC_S("while", what),
             SC_S("code", sc_error_name(code)), SC_S("sqlite", sqlite3_errmsg(sql->db)));
    return code;
}

static int open_failed(struct sqlite_rows *sql, int result, const char *path, sc_err *err)
{
    int code = error_code(sql->db, result);
    return sc_fail(err, code, "cannot open the database %.200s: %.120s", path,
                   sql->db ? sqlite3_errmsg(sql->db) : sqlite3_errstr(result));
}

// Runs sql, again while the file is busy: when several processes open a new file at once, SQLite
// gives up at once in places where its own busy timeout would be a deadlock (change to WAL).
static int exec_patiently(sqlite3 *db, const char *sql)
{
    int64_t deadline = sc_clock_now() + BUSY_TIMEOUT_MS * SC_NS_PER_MS;
    int result = sqlite3_exec(db, sql, NULL, NULL, NULL);
    while ((result & 0xff) == SQLITE_BUSY && sc_clock_now() < deadline) {
        sc_clock_sleep(5 * SC_NS_PER_MS);
        result = sqlite3_exec(db, sql, NULL, NULL, NULL);
    }
    return result;
}

// The one integer that a query gives.
static int query_int(sqlite3 *db, const char *query, int *value)
{
    sqlite3_stmt *stmt = NULL;
    int result = sqlite3_prepare_v2(db, query, -1, &stmt, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_step(stmt);
    if (result == SQLITE_ROW) {
        *value = sqlite3_column_int(stmt, 0);
        result = SQLITE_OK;
    }
    sqlite3_finalize(stmt);
    return result;
}

// Looks at the schema and makes it in an empty database, all in one write transaction, so that
// two processes that start together do not both make it.
static int check_schema(struct sqlite_rows *sql, const char *path, sc_err *err)
{
    int version = 0, objects = 0, ret = SC_OK;
    int result = exec_patiently(sql->db, "BEGIN IMMEDIATE");
    if (result == SQLITE_OK)
        result = query_int(sql->db, "PRAGMA user_version", &version);
    if (result == SQLITE_OK)
        result = query_int(sql->db, "SELECT count(*) FROM sqlite_master", &objects);
    if (result == SQLITE_OK && !version && !objects)
        result = sqlite3_exec(sql->db, schema, NULL, NULL, NULL);
    else if (version > SCHEMA_VERSION)
        ret = sc_fail(err, SC_EDATA,
                      "the database %.200s has schema %d, this program knows up to %d; use a "
                      "newer saccade",
                      path, version, SCHEMA_VERSION);
    else if (result == SQLITE_OK && version < SCHEMA_VERSION)
        ret = sc_fail(err, SC_EDATA,
                      "the database %.200s belongs to another program; choose another path",
                      path);
    if (result == SQLITE_OK && !ret)
        result = exec_patiently(sql->db, "COMMIT");
    if (result != SQLITE_OK && !ret)
        ret = open_failed(sql, result, path, err);
    return ret; // closing rolls back what was not committed
}

static int prepare(struct sqlite_rows *sql, const char *path, sc_err *err)
{
    for (int i = 0; i < STATEMENTS; i++) {
        int result = sqlite3_prepare_v3(sql->db, statement_sql[i], -1,
                                        SQLITE_PREPARE_PERSISTENT, &sql->statements[i], NULL);
        if (result == SQLITE_ERROR) // no such table or column
            return sc_fail(err, SC_EDATA, "the database %.200s lacks its table of rows: %.120s",
                           path, sqlite3_errmsg(sql->db));
        if (result != SQLITE_OK)
            return open_failed(sql, result, path, err);
    }
    return SC_OK;
}

// WAL keeps readers of other processes going while one writes; FULL syncs it at every commit.
static int configure(struct sqlite_rows *sql, const char *path, sc_err *err)
{
    sqlite3_busy_timeout(sql->db, BUSY_TIMEOUT_MS);
    int result = exec_patiently(sql->db, "PRAGMA journal_mode = WAL");
    if (result == SQLITE_OK)
        result = sqlite3_exec(sql->db, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
    return result == SQLITE_OK ? SC_OK : open_failed(sql, result, path, err);
}

static void sqlite_close(sc_rows *rows)
{
    struct sqlite_rows *sql = (struct sqlite_rows *)rows;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(sql->statements[i]);
    sqlite3_close(sql->db);
    if (sql->lock_made)
        pthread_mutex_destroy(&sql->lock);
    sc_log_close(&sql->log);
    free(sql);
}

static int sqlite_open(sc_rows **prows, const struct sc_rows_params *params, sc_err *err)
{
    const char *path = params->path;
    if (!path || !*path)
        return sc_fail(err, SC_EARG, "the row store needs the path of its database");
    struct sqlite_rows *sql = sc_new(struct sqlite_rows);
    sql->rows.backend = &sc_rows_sqlite;
    sql->log = sc_log_child(params->log, "rows");
    sql->lock_made = !pthread_mutex_init(&sql->lock, NULL);

    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                SQLITE_OPEN_EXRESCODE;
    int result = sqlite3_open_v2(path, &sql->db, flags, NULL);
    int ret = SC_OK;
    if (result != SQLITE_OK)
        ret = open_failed(sql, result, path, err);
    else if (sqlite3_db_readonly(sql->db, "main"))
        ret = sc_fail(err, SC_EDENIED, "the database %.200s cannot be written", path);
    if (!ret)
        ret = check_schema(sql, path, err);
    if (!ret)
        ret = configure(sql, path, err);
    if (!ret)
        ret = prepare(sql, path, err);
    if (ret) {
        sqlite_close(&sql->rows);
        return ret;
    }
    *prows = &sql->rows;
    return SC_OK;
}

// Takes the lock and gives the statement with table and key bound; finish() undoes both.
static sqlite3_stmt *start(struct sqlite_rows *sql, enum statement which, const char *table,
                           const char *key)
{
    pthread_mutex_lock(&sql->lock);
    sqlite3_stmt *stmt = sql->statements[which];
    sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, key, -1, SQLITE_STATIC);
    return stmt;
}

static void finish(struct sqlite_rows *sql, sqlite3_stmt *stmt)
{
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt); // they point at the caller's memory
    pthread_mutex_unlock(&sql->lock);
}

// Runs a statement that changes rows: how many it changed, or an error.
static int change(struct sqlite_rows *sql, sqlite3_stmt *stmt, const char *what)
{
    int result = sqlite3_step(stmt);
    // The commit happens inside this step; only its success is an acknowledgement.
    return result == SQLITE_DONE ? sqlite3_changes(sql->db) : failed(sql, result, what);
}

static int sqlite_insert(sc_rows *rows, const char *table, const char *key, const char *value)
{
    struct sqlite_rows *sql = (struct sqlite_rows *)rows;
    sqlite3_stmt *stmt = start(sql, INSERT, table, key);
    int ret = SC_ELIMIT;
    if (sqlite3_bind_text64(stmt, 3, value, strlen(value), SQLITE_STATIC, SQLITE_UTF8) ==
        SQLITE_OK)
        ret = change(sql, stmt, "insert");
    finish(sql, stmt);
    return ret < 0 ? ret : ret ? SC_OK : SC_EEXISTS;
}

static int sqlite_update(sc_rows *rows, const char *table, const char *key, const char *value,
                         int64_t rev)
{
    struct sqlite_rows *sql = (struct sqlite_rows *)rows;
    sqlite3_stmt *stmt = start(sql, UPDATE, table, key);
    int ret = SC_ELIMIT;
    sqlite3_bind_int64(stmt, 4, rev);
    if (sqlite3_bind_text64(stmt, 3, value, strlen(value), SQLITE_STATIC, SQLITE_UTF8) ==
        SQLITE_OK)
        ret = change(sql, stmt, "update");
    finish(sql, stmt);
    if (ret)
        return ret < 0 ? ret : SC_OK;
    if (!rev)
        return SC_ENOTFOUND;
    sc_row row = {0}; // nothing changed: is the row gone, or only newer?
    ret = rows->backend->get(rows, table, key, &row);
    sc_row_release(&row);
    return ret ? ret : SC_ESTALE;
}

static int sqlite_get(sc_rows *rows, const char *table, const char *key, sc_row *row)
{
    struct sqlite_rows *sql = (struct sqlite_rows *)rows;
    sqlite3_stmt *stmt = start(sql, GET, table, key);
    int ret = SC_ENOTFOUND;
    int result = sqlite3_step(stmt);
    if (result == SQLITE_ROW)
        ret = sc_row_set(row, key, (const char *)sqlite3_column_text(stmt, 1),
                         sqlite3_column_int64(stmt, 2));
    else if (result != SQLITE_DONE)
        ret = failed(sql, result, "get");
    finish(sql, stmt);
    return ret;
}

static int sqlite_remove(sc_rows *rows, const char *table, const char *key)
{
    struct sqlite_rows *sql = (struct sqlite_rows *)rows;
    sqlite3_stmt *stmt = start(sql, REMOVE, table, key);
    int ret = change(sql, stmt, "delete");
    finish(sql, stmt);
    return ret < 0 ? ret : ret ? SC_OK : SC_ENOTFOUND;
}

static int sqlite_list(sc_rows *rows, const char *table, const char *after, int max,
                       sc_row **out)
{
    struct sqlite_rows *sql = (struct sqlite_rows *)rows;
    struct sc_row_list list = {0};
    int ret = SC_OK, result;
    sqlite3_stmt *stmt = start(sql, LIST, table, after);
    sqlite3_bind_int(stmt, 4, max);
    while (!ret && (result = sqlite3_step(stmt)) != SQLITE_DONE) {
        if (result == SQLITE_ROW)
            ret = sc_row_list_add(&list, (const char *)sqlite3_column_text(stmt, 0),
                                  (const char *)sqlite3_column_text(stmt, 1),
                                  sqlite3_column_int64(stmt, 2));
        else
            ret = failed(sql, result, "list");
    }
    finish(sql, stmt);
    if (ret) {
        sc_row_list_release(&list);
        return ret;
    }
    *out = list.rows;
    return list.count;
}

const sc_rows_backend sc_rows_sqlite = {
    .name = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close,
    .insert = sqlite_insert,
    .update = sqlite_update,
    .get = sqlite_get,
    .remove = sqlite_remove,
    .list = sqlite_list,
};
