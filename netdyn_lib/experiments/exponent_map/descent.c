/* Gradient descent with one tangent vector, of perceptrons with one sigmoid hidden layer under
 * softmax cross-entropy, in double precision.  LANES networks lie side by side in a vector of the
 * compiler's.  D inputs, J hidden units, C classes and LANES are set when compiling.
 * Formulas: those of netdyn_lib.tasks.gradients (Linearised); r_ marks derivatives along v. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define LOW (D + 1)
#define HIGH (J + 1)
#define P (J * LOW + C * HIGH)
typedef double vec __attribute__((vector_size(8 * LANES), aligned(8))); /* as NumPy aligns */
typedef int64_t ints __attribute__((vector_size(8 * LANES)));

static inline vec larger(vec a, vec b) {
    ints which = a > b;
    return (vec)(((ints)a & which) | ((ints)b & ~which));
}

/* e^a, |a| <= 700, to two units in the last place: 2^k e^r, |r| <= ln 2/2, e^r by its series to
 * r^13, in pairs (Estrin), so that no product waits for all before it */
static inline vec exponential(vec a) {
    const double magic = 6755399441055744.0; /* 1.5 * 2^52: adding it rounds to a whole number */
    a = larger(a, (vec){} - 700);
    a = -larger(-a, (vec){} - 700);
    vec shifted = a * 1.4426950408889634 + magic, k = shifted - magic;
    vec r = (a - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
    vec r2 = r * r, r4 = r2 * r2;
    vec low = (r + 1) + r2 * (r * (1. / 6) + .5);
    vec mid = (r * (1. / 120) + 1. / 24) + r2 * (r * (1. / 5040) + 1. / 720);
    vec up = (r * (1. / 362880) + 1. / 40320) + r2 * (r * (1. / 39916800) + 1. / 3628800);
    vec top = r * (1. / 6227020800.) + 1. / 479001600;
    vec s = (low + r4 * mid) + (r4 * r4) * (up + r4 * top);
    return (vec)((ints)s + ((ints)shifted << 52));
}

/* Take `epochs` steps of `groups` of networks w (groups, P) and tangent vectors v alike, of n
 * samples x (n, LOW), the last column ones, with labels y (n), at `rates` (groups).  Add
 * ln|v(t + 1)|/|v(t)| up in `growth` (groups) and the loss before each step in `loss`. */
void follow(long groups, long epochs, long n, const double *x, const int *y, vec *w, vec *v,
            const vec *rates, vec *growth, vec *loss) {
    for (long group = 0; group < groups; group++, w += P, v += P) {
        vec *top = w + J * LOW, *r_top = v + J * LOW;
        for (long t = 0; t < epochs; t++) {
            vec g[P] = {}, r_g[P] = {}, h[J], r_h[J], slope[J], o[C], r_o[C];
            vec *g_top = g + J * LOW, *r_g_top = r_g + J * LOW;
            vec product = (vec){} + 1, sum = {};
            for (long s = 0; s < n; s++) {
                const double *in = x + s * LOW;
                for (int j = 0; j < J; j++) {
                    vec a = {}, b = {};
                    for (int i = 0; i < LOW; i++)
                        a += w[j * LOW + i] * in[i], b += v[j * LOW + i] * in[i];
                    h[j] = -a, r_h[j] = b;
                }
                for (int j = 0; j < J; j++) h[j] = 1 / (1 + exponential(h[j]));
                for (int j = 0; j < J; j++) slope[j] = h[j] * (1 - h[j]), r_h[j] *= slope[j];
                for (int c = 0; c < C; c++) {
                    vec a = top[c * HIGH + J], b = r_top[c * HIGH + J];
                    for (int j = 0; j < J; j++) {
                        a += top[c * HIGH + j] * h[j];
                        b += r_top[c * HIGH + j] * h[j] + top[c * HIGH + j] * r_h[j];
                    }
                    o[c] = a, r_o[c] = b;
                }
                vec most = o[0], total = {}, along = {};
                for (int c = 1; c < C; c++) most = larger(most, o[c]);
                sum += most - o[y[s]];
                for (int c = 0; c < C; c++) o[c] = exponential(o[c] - most), total += o[c];
                product *= total; /* at most C^n: one logarithm a step, not n */
                for (int c = 0; c < C; c++) o[c] /= total, along += o[c] * r_o[c];
                for (int c = 0; c < C; c++) r_o[c] = o[c] * (r_o[c] - along);
                o[y[s]] -= 1;
                for (int c = 0; c < C; c++) {
                    for (int j = 0; j < J; j++) {
                        g_top[c * HIGH + j] += o[c] * h[j];
                        r_g_top[c * HIGH + j] += r_o[c] * h[j] + o[c] * r_h[j];
                    }
                    g_top[c * HIGH + J] += o[c], r_g_top[c * HIGH + J] += r_o[c];
                }
                for (int j = 0; j < J; j++) {
                    vec a = {}, b = {};
                    for (int c = 0; c < C; c++) {
                        a += top[c * HIGH + j] * o[c];
                        b += r_top[c * HIGH + j] * o[c] + top[c * HIGH + j] * r_o[c];
                    }
                    b = b * slope[j] + a * (1 - 2 * h[j]) * r_h[j];
                    a *= slope[j];
                    for (int i = 0; i < LOW; i++)
                        g[j * LOW + i] += a * in[i], r_g[j * LOW + i] += b * in[i];
                }
            }
            vec step = rates[group] / (double)n, square = {};
            for (int p = 0; p < P; p++) {
                w[p] -= step * g[p], v[p] -= step * r_g[p];
                square += v[p] * v[p];
            }
            for (int l = 0; l < LANES; l++) {
                growth[group][l] += log(square[l]) / 2;
                loss[group][l] += (log(product[l]) + sum[l]) / n;
                square[l] = 1 / sqrt(square[l]);
            }
            for (int p = 0; p < P; p++) v[p] *= square;
        }
    }
}
