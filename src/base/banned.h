// Functions that have a safer sibling here become compile errors. Included in every file by the
// build.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok gmtime localtime asctime ctime   \
    system
