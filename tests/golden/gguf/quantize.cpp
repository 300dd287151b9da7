// What llama-quantize does with its defaults, without its command line: quantize IN OUT FTYPE (a number of llama_ftype).
#include <cstdlib>

#include <llama.h>

int main(int count, char** words) {
  if (count != 4) return 2;
  llama_backend_init();
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = static_cast<llama_ftype>(std::atoi(words[3]));
  params.nthread = 1;
  return static_cast<int>(llama_model_quantize(words[1], words[2], &params));
}
