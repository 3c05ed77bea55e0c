"""Run by test_plain_checkpoint.py in an environment that has only torch and transformers.

Reads {"prompt": str, "new_tokens": int} from stdin, continues the prompt greedily with the model in the folder
given as argument, and prints the ids as JSON.
"""

import importlib.util
import json
import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

assert importlib.util.find_spec("sensorium") is None, "this environment must not have sensorium"
request = json.load(sys.stdin)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
inputs = tokenizer(request["prompt"], return_tensors="pt", add_special_tokens=False)
written = model.generate(**inputs, do_sample=False, max_new_tokens=request["new_tokens"])
ids = written[0, inputs["input_ids"].shape[1] :].tolist()
print(json.dumps({"class": type(model).__name__, "prompt": inputs["input_ids"][0].tolist(), "ids": ids}))
