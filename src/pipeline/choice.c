#include "pipeline/choice.h"

#include <stdio.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>

#define GPU_DEVICE "/dev/nvidiactl"

// GPU stages take the same places in the graph; until there are some, a GPU is told of and the
// model is all that runs on it.
void sc_pipeline_choose(struct sc_pipeline_choice *choice)
{
    *choice = (struct sc_pipeline_choice){
        .kind = SC_PIPELINE_CPU, .name = "cpu", .gpu = access(GPU_DEVICE, F_OK) == 0};
    if (!choice->gpu) {
        snprintf(choice->reason, sizeof(choice->reason),
                 "no NVIDIA GPU here (%s is missing): decoding, drawing and encoding on the "
                 "processor",
                 GPU_DEVICE);
        return;
    }
    bool decodes = avcodec_find_decoder_by_name("h264_cuvid");
    bool encodes = avcodec_find_encoder_by_name("h264_nvenc");
    snprintf(choice->reason, sizeof(choice->reason),
             "an NVIDIA GPU is here (libavcodec %s it decode, %s it encode), but pictures are "
             "decoded, drawn and encoded on the processor; the model may run on the GPU",
             decodes ? "lets" : "does not let", encodes ? "lets" : "does not let");
}
