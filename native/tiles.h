/* Put before every file of llama.cpp when it is compiled (Makefile), for processors with matrix tiles (AMX).

   GCC's own `_tile_loadconfig` tells the compiler of 8 of the 64 bytes that the instruction reads. The others are then
   never written, the tiles are set up with whatever the stack holds, and the first prompt may end in SIGSEGV
   (ggml-org/llama.cpp#20824, #26954). The mark says that a library was compiled with all of them; Linnet has the kernel
   refuse tiles to one without it (src/linnet/hardware/tiles.py). */
#if defined(__AMX_TILE__)
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#define _tile_loadconfig(config) __asm__ volatile("ldtilecfg\t%0" : : "m"(*(const char(*)[64])(config)))
#endif
#ifdef __cplusplus
extern "C"
#endif
    __attribute__((weak, used, visibility("default"))) int linnet_tiles_are_whole = 1;
#endif
