/* Steps the wall clock of a balancer: CLOCK_REALTIME is what the system says and what a file of eight bytes says, in
 * milliseconds. Loaded by LD_PRELOAD into every process of a city; only balancers look at the file, and no other clock is
 * ever touched. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *step_ms;

static int is_balancer(void) {
    char line[4096];
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, line, sizeof line - 1);
    close(file);
    if (length <= 0) return 0;
    line[length] = 0;
    size_t program = strlen(line) + 1;
    return program < (size_t)length && strcmp(line + program, "balancer") == 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CHEF_CHAOS_CLOCK");
    if (!path || !is_balancer()) return;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    void *shared = mmap(NULL, sizeof *step_ms, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (shared != MAP_FAILED) step_ms = shared;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && step_ms && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ns = time->tv_nsec + (*step_ms % 1000) * 1000000;
        time->tv_sec += *step_ms / 1000 + ns / 1000000000;
        time->tv_nsec = ns % 1000000000;
        if (time->tv_nsec < 0) {
            time->tv_nsec += 1000000000;
            time->tv_sec -= 1;
        }
    }
    return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    struct timespec time;
    if (clock_gettime(CLOCK_REALTIME, &time) != 0) return -1;
    at->tv_sec = time.tv_sec;
    at->tv_usec = time.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
