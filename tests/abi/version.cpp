// That C++ takes the header, and that the library which is loaded is the one of the header.
#include "cr0sync.h"

#include <cstring>

int main() {
    return std::strcmp(cr0_version(), CR0SYNC_VERSION) == 0 && cr0_sqlite_version()[0] == '3' ? 0 : 1;
}
