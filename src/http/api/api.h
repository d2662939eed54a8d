// The table of endpoints: one line each; order is preference order in docs and routing.
#pragma once

#include "http/endpoint.h"

extern const sc_endpoint *const sc_api_table[]; // NULL-terminated
