/* An epoch of training a network with one hidden layer of ReLU, softmax and Adam, on one thread: what the arithmetic
   costs when nothing else is done. Compiled by benchmarks/run.py with the system's own compiler. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* c (m, n) += a (m, k) times b (k, n), by rows, so that the innermost loop runs through memory in order. */
static void multiply(int m, int k, int n, const float *restrict a, const float *restrict b, float *restrict c) {
    for (int i = 0; i < m; i++)
        for (int p = 0; p < k; p++) {
            float factor = a[i * k + p];
            for (int j = 0; j < n; j++) c[i * n + j] += factor * b[p * n + j];
        }
}

/* c (k, n) += the transpose of a (m, k) times b (m, n). */
static void multiply_transposed(int m, int k, int n, const float *restrict a, const float *restrict b,
                                float *restrict c) {
    for (int i = 0; i < m; i++)
        for (int p = 0; p < k; p++) {
            float factor = a[i * k + p];
            for (int j = 0; j < n; j++) c[p * n + j] += factor * b[i * n + j];
        }
}

/* One of Adam's updates; state holds the running means, and then those of the squares. */
static void adam(int count, float rate, const float *restrict gradient, float *restrict value, float *restrict state) {
    float *mean = state, *square = state + count;
    for (int i = 0; i < count; i++) {
        mean[i] += 0.1f * (gradient[i] - mean[i]);
        square[i] += 0.001f * (gradient[i] * gradient[i] - square[i]);
        value[i] -= rate * mean[i] / (sqrtf(square[i]) + 1e-7f);
    }
}

int epoch(int examples, int n_in, int n_hidden, int n_out, int batch, int t, float rate, const float *x, const int *y,
          const int *order, float *w1, float *b1, float *w2, float *b2, float *s_w1, float *s_b1, float *s_w2,
          float *s_b2) {
    int size1 = n_in * n_hidden, size2 = n_hidden * n_out;
    float *inputs = malloc(sizeof(float) * batch * n_in), *hidden = malloc(sizeof(float) * batch * n_hidden);
    float *answers = malloc(sizeof(float) * batch * n_out), *back = malloc(sizeof(float) * batch * n_hidden);
    float *g_w1 = malloc(sizeof(float) * size1), *g_w2 = malloc(sizeof(float) * size2);
    float *g_b1 = malloc(sizeof(float) * n_hidden), *g_b2 = malloc(sizeof(float) * n_out);
    for (int begin = 0; begin < examples; begin += batch) {
        int m = examples - begin < batch ? examples - begin : batch;
        for (int i = 0; i < m; i++) {
            memcpy(inputs + i * n_in, x + (size_t)order[begin + i] * n_in, sizeof(float) * n_in);
            memcpy(hidden + i * n_hidden, b1, sizeof(float) * n_hidden);
            memcpy(answers + i * n_out, b2, sizeof(float) * n_out);
        }
        multiply(m, n_in, n_hidden, inputs, w1, hidden);
        for (int i = 0; i < m * n_hidden; i++) hidden[i] = hidden[i] > 0 ? hidden[i] : 0;
        multiply(m, n_hidden, n_out, hidden, w2, answers);
        memset(g_b2, 0, sizeof(float) * n_out);
        for (int i = 0; i < m; i++) { /* the logits become softmax less one-hot, over m: the gradient */
            float *row = answers + i * n_out, top = row[0], sum = 0;
            for (int j = 1; j < n_out; j++) top = row[j] > top ? row[j] : top;
            for (int j = 0; j < n_out; j++) sum += row[j] = expf(row[j] - top);
            for (int j = 0; j < n_out; j++) row[j] /= sum * m;
            row[y[order[begin + i]]] -= 1.0f / m;
            for (int j = 0; j < n_out; j++) g_b2[j] += row[j];
        }
        memset(g_w2, 0, sizeof(float) * size2);
        multiply_transposed(m, n_hidden, n_out, hidden, answers, g_w2);
        memset(g_b1, 0, sizeof(float) * n_hidden);
        for (int i = 0; i < m; i++)
            for (int p = 0; p < n_hidden; p++) {
                float sum = 0;
                if (hidden[i * n_hidden + p] > 0)
                    for (int j = 0; j < n_out; j++) sum += answers[i * n_out + j] * w2[p * n_out + j];
                back[i * n_hidden + p] = sum;
                g_b1[p] += sum;
            }
        memset(g_w1, 0, sizeof(float) * size1);
        multiply_transposed(m, n_in, n_hidden, inputs, back, g_w1);
        t++;
        float now = rate * sqrt(1 - pow(0.999, t)) / (1 - pow(0.9, t));
        adam(size1, now, g_w1, w1, s_w1);
        adam(n_hidden, now, g_b1, b1, s_b1);
        adam(size2, now, g_w2, w2, s_w2);
        adam(n_out, now, g_b2, b2, s_b2);
    }
    free(inputs), free(hidden), free(answers), free(back), free(g_w1), free(g_w2), free(g_b1), free(g_b2);
    return t;
}
