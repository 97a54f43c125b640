/* A simulated NVIDIA management library: GPUs whose power follows a given curve.
 *
 * The file SIMULATED_GPUS contains the machine's start (CLOCK_MONOTONIC) and a line for each GPU. The file
 * SIMULATED_CURVES contains the start of the curves, once it is known. All counters are computed from the curve when
 * they are read, so the true energy of a window is the integral of the curve. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OK = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7, LOST = 15 };
enum { SOFTWARE_THERMAL_SLOWDOWN = 0x20, MEMORY_CLOCK = 2 };
#define MOST 16

typedef struct {
    char kind[16], name[64];
    double low, high, at, length, tick, averaging, update, lost, stall, fall, hot;
    int counter, instant, architecture, process, index;
} Gpu;

static Gpu gpus[MOST];
static int count = 0, started = 0;
static double start = 0, curves = INFINITY;

/* Time since the machine's start. */
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec - start;
}

/* Start of the curves, since the machine's start. */
static double curves_start(void) {
    const char *path = getenv("SIMULATED_CURVES");
    FILE *file = isinf(curves) && path ? fopen(path, "r") : NULL;
    double known;
    if (file && fscanf(file, "%lf", &known) == 1) curves = known - start;
    if (file) fclose(file);
    return curves;
}

/* Time since the start of the curves. */
static double curves_now(void) { return now() - curves_start(); }

/* Energy since the start of the curves. */
static double course(const Gpu *g, double t) {
    double rise = g->high - g->low, past = fmax(0, t - g->at);
    if (!strcmp(g->kind, "step")) return g->low * t + rise * past;
    if (!strcmp(g->kind, "ramp")) {
        double in = fmin(past, g->length);
        return g->low * t + rise * (in * in / (2 * g->length) + past - in);
    }
    if (!strcmp(g->kind, "square") && t > 0) {
        double whole = floor(t / g->length), in = fmin(t - whole * g->length, g->length / 2);
        return g->low * t + rise * (whole * g->length / 2 + in);
    }
    return g->low * t;
}

/* Energy since the machine's start, at a time since then. */
static double energy(const Gpu *g, double t) {
    double origin = fmin(curves_start(), t);
    return course(g, t - origin) - course(g, -origin);
}

static double power(const Gpu *g, double averaging) {
    double t = floor(now() / g->update) * g->update, width = averaging > 0 ? averaging : 1e-4;
    return (energy(g, t) - energy(g, t - width)) / width;
}

static int check(const Gpu *g) {
    if (!started) return UNINITIALIZED;
    return curves_now() >= g->lost ? LOST : OK;
}

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    const char *path = getenv("SIMULATED_GPUS");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file) return 9; /* the driver is not loaded */
    char line[512];
    count = 0;
    while (fgets(line, sizeof line, file) && count < MOST) {
        Gpu *g = &gpus[count];
        if (sscanf(line, "start %lf", &start) == 1) continue;
        if (sscanf(line, "gpu %15s %lf %lf %lf %lf %lf %lf %lf %lf %lf %lf %lf %d %d %d %d %63[^\n]", g->kind, &g->low,
                   &g->high, &g->at, &g->length, &g->tick, &g->averaging, &g->update, &g->lost, &g->stall, &g->fall,
                   &g->hot, &g->counter, &g->instant, &g->architecture, &g->process, g->name) == 17)
            g->index = count++;
    }
    fclose(file);
    if (count == 0) return 9;
    started++;
    return OK;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlInit(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) {
    if (!started) return UNINITIALIZED;
    started--;
    return OK;
}
const char *nvmlErrorString(int code) {
    return code == LOST ? "GPU is lost" : code == NOT_SUPPORTED ? "Not Supported" : "simulated error";
}
int nvmlSystemGetDriverVersion(char *text, unsigned length) { snprintf(text, length, "999.1 (simulated)"); return OK; }
int nvmlSystemGetNVMLVersion(char *text, unsigned length) { snprintf(text, length, "13.999.1"); return OK; }
int nvmlSystemGetCudaDriverVersion(int *version) { *version = 13000; return OK; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 13000; return OK; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = (unsigned)count; return started ? OK : UNINITIALIZED; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, Gpu **g) {
    if (i >= (unsigned)count) return INVALID;
    *g = &gpus[i];
    return OK;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, Gpu **g) {
    int i;
    if (sscanf(uuid, "GPU-0000000%d", &i) != 1 || i >= count) return INVALID;
    *g = &gpus[i];
    return OK;
}
int nvmlDeviceGetIndex(Gpu *g, unsigned *i) { *i = (unsigned)g->index; return OK; }
int nvmlDeviceGetMinorNumber(Gpu *g, unsigned *i) { *i = (unsigned)g->index; return OK; }
int nvmlDeviceGetName(Gpu *g, char *text, unsigned length) { snprintf(text, length, "%s", g->name); return OK; }
int nvmlDeviceGetUUID(Gpu *g, char *text, unsigned length) {
    snprintf(text, length, "GPU-0000000%d-0000-0000-0000-000000000000", g->index);
    return OK;
}
int nvmlDeviceGetArchitecture(Gpu *g, unsigned *value) { *value = (unsigned)g->architecture; return check(g); }
int nvmlDeviceGetTotalEnergyConsumption(Gpu *g, unsigned long long *mj) {
    if (check(g)) return check(g);
    if (!g->counter) return NOT_SUPPORTED;
    double t = floor(now() / g->tick) * g->tick;
    double joules = 5e6 + energy(g, fmin(t, curves_start() + g->stall));
    if (curves_now() >= g->fall) joules -= 1e6;
    *mj = (unsigned long long)(joules * 1e3);
    return OK;
}
int nvmlDeviceGetPowerUsage(Gpu *g, unsigned *mw) {
    if (check(g)) return check(g);
    *mw = (unsigned)(power(g, g->averaging) * 1e3 + 0.5);
    return OK;
}
typedef struct {
    unsigned field, scope;
    long long timestamp, latency;
    int type, result;
    union { double d; unsigned ui; unsigned long ul; unsigned long long ull; } value;
} FieldValue;
int nvmlDeviceGetFieldValues(Gpu *g, int n, FieldValue *values) {
    if (check(g)) return check(g);
    for (int i = 0; i < n; i++) {
        values[i].result = NOT_SUPPORTED;
        if (values[i].field == 186 && g->instant) {
            values[i].type = 1;
            values[i].value.ui = (unsigned)(power(g, 0) * 1e3 + 0.5);
            values[i].result = OK;
        }
    }
    return OK;
}
int nvmlDeviceGetUtilizationRates(Gpu *g, unsigned *two) { two[0] = 40; two[1] = 20; return check(g); }
int nvmlDeviceGetTemperature(Gpu *g, int sensor, unsigned *value) { (void)sensor; *value = 61; return check(g); }
int nvmlDeviceGetMemoryInfo(Gpu *g, unsigned long long *three) {
    three[0] = 16ULL << 30;
    three[1] = 15ULL << 30;
    three[2] = 1ULL << 30;
    return check(g);
}
int nvmlDeviceGetClockInfo(Gpu *g, int kind, unsigned *value) {
    *value = kind == MEMORY_CLOCK ? 1593 : curves_now() >= g->hot ? 1200 : 1410;
    return check(g);
}
int nvmlDeviceGetCurrentClocksThrottleReasons(Gpu *g, unsigned long long *bits) {
    *bits = curves_now() >= g->hot ? SOFTWARE_THERMAL_SLOWDOWN : 0;
    return check(g);
}
int nvmlDeviceGetCurrentClocksEventReasons(Gpu *g, unsigned long long *bits) {
    return nvmlDeviceGetCurrentClocksThrottleReasons(g, bits);
}
typedef struct {
    unsigned pid;
    unsigned long long memory;
    unsigned instance, compute_instance;
} ProcessInfo;
int nvmlDeviceGetComputeRunningProcesses_v3(Gpu *g, unsigned *n, ProcessInfo *infos) {
    unsigned room = *n;
    *n = g->process > 0;
    if (check(g) || *n == 0) return check(g);
    if (room < 1 || !infos) return INSUFFICIENT_SIZE;
    infos[0] = (ProcessInfo){(unsigned)g->process, 1ULL << 30, 0, 0};
    return OK;
}
int nvmlDeviceGetGraphicsRunningProcesses_v3(Gpu *g, unsigned *n, void *infos) { (void)infos; *n = 0; return check(g); }
int nvmlDeviceGetPowerManagementLimit(Gpu *g, unsigned *mw) { *mw = 400000; return check(g); }
int nvmlDeviceGetEnforcedPowerLimit(Gpu *g, unsigned *mw) { *mw = 400000; return check(g); }
int nvmlDeviceGetPowerManagementLimitConstraints(Gpu *g, unsigned *low, unsigned *high) {
    *low = 100000;
    *high = 400000;
    return check(g);
}
int nvmlDeviceGetComputeMode(Gpu *g, int *mode) { *mode = 0; return check(g); }
int nvmlDeviceGetPersistenceMode(Gpu *g, int *mode) { *mode = 1; return check(g); }
