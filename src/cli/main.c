// saccade COMMAND: finds the command in the table and runs it.
#include <stdio.h>

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("saccade " SC_VERSION);
    return 0;
}
