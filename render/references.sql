-- The references of what was used: programs of the history, data sets that were read, statistics.
WITH used AS (SELECT DISTINCT program FROM step
              UNION SELECT 'ingest-' || data_name FROM result
              UNION SELECT 'study' UNION SELECT 'mcnemar' UNION SELECT 'wilson' UNION SELECT 'holm'),
reference (program, key, entry) AS (VALUES
('study', 'jaiswal2024', '@inproceedings{jaiswal2024,
  title = {Compressing {LLMs}: The Truth is Rarely Pure and Never Simple},
  author = {Jaiswal, Ajay and Gan, Zhe and Du, Xianzhi and Zhang, Bowen and Wang, Zhangyang and Yang, Yinfei},
  booktitle = {International Conference on Learning Representations},
  year = {2024},
  note = {arXiv:2310.01382}
}'),
('prune-magnitude', 'han2015', '@inproceedings{han2015,
  title = {Learning both Weights and Connections for Efficient Neural Network},
  author = {Han, Song and Pool, Jeff and Tran, John and Dally, William},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {28}, pages = {1135--1143},
  year = {2015},
  note = {arXiv:1506.02626}
}'),
('prune-wanda', 'sun2024', '@inproceedings{sun2024,
  title = {A Simple and Effective Pruning Approach for Large Language Models},
  author = {Sun, Mingjie and Liu, Zhuang and Bair, Anna and Kolter, J. Zico},
  booktitle = {International Conference on Learning Representations},
  year = {2024},
  note = {arXiv:2306.11695}
}'),
('prune-sparsegpt', 'frantar2023sparsegpt', '@inproceedings{frantar2023sparsegpt,
  title = {{SparseGPT}: Massive Language Models Can be Accurately Pruned in One-Shot},
  author = {Frantar, Elias and Alistarh, Dan},
  booktitle = {International Conference on Machine Learning},
  year = {2023},
  note = {arXiv:2301.00774}
}'),
('quantize-gptq', 'frantar2022gptq', '@article{frantar2022gptq,
  title = {{GPTQ}: Accurate Post-Training Quantization for Generative Pre-trained Transformers},
  author = {Frantar, Elias and Ashkboos, Saleh and Hoefler, Torsten and Alistarh, Dan},
  journal = {arXiv preprint arXiv:2210.17323},
  year = {2022}
}'),
('quantize-awq', 'lin2024', '@inproceedings{lin2024,
  title = {{AWQ}: Activation-aware Weight Quantization for On-Device {LLM} Compression and Acceleration},
  author = {Lin, Ji and Tang, Jiaming and Tang, Haotian and Yang, Shang and Chen, Wei-Ming and Wang, Wei-Chen and Xiao, Guangxuan and Dang, Xingyu and Gan, Chuang and Han, Song},
  booktitle = {Proceedings of Machine Learning and Systems},
  year = {2024},
  note = {arXiv:2306.00978}
}'),
('quantize-int8', 'dettmers2022', '@inproceedings{dettmers2022,
  title = {{LLM.int8()}: 8-bit Matrix Multiplication for Transformers at Scale},
  author = {Dettmers, Tim and Lewis, Mike and Belkada, Younes and Zettlemoyer, Luke},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2022},
  note = {arXiv:2208.07339}
}'),
('eval-factoid', 'jiang2019', '@inproceedings{jiang2019,
  title = {{FreebaseQA}: A New Factoid {QA} Data Set Matching Trivia-Style Question-Answer Pairs with {Freebase}},
  author = {Jiang, Kelvin and Wu, Dekun and Jiang, Hui},
  booktitle = {Proceedings of NAACL-HLT},
  year = {2019}
}'),
('eval-choice', 'hendrycks2021', '@inproceedings{hendrycks2021,
  title = {Measuring Massive Multitask Language Understanding},
  author = {Hendrycks, Dan and Burns, Collin and Basart, Steven and Zou, Andy and Mazeika, Mantas and Song, Dawn and Steinhardt, Jacob},
  booktitle = {International Conference on Learning Representations},
  year = {2021},
  note = {arXiv:2009.03300}
}'),
('eval-retrieval', 'joshi2017', '@inproceedings{joshi2017,
  title = {{TriviaQA}: A Large Scale Distantly Supervised Challenge Dataset for Reading Comprehension},
  author = {Joshi, Mandar and Choi, Eunsol and Weld, Daniel S. and Zettlemoyer, Luke},
  booktitle = {Proceedings of the Association for Computational Linguistics},
  year = {2017}
}'),
('eval-summary', 'hermann2015', '@inproceedings{hermann2015,
  title = {Teaching Machines to Read and Comprehend},
  author = {Hermann, Karl Moritz and Ko{\v c}isk{\''y}, Tom{\''a}{\v s} and Grefenstette, Edward and Espeholt, Lasse and Kay, Will and Suleyman, Mustafa and Blunsom, Phil},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2015}
}'),
('eval-chat', 'zheng2023', '@inproceedings{zheng2023,
  title = {Judging {LLM}-as-a-Judge with {MT-Bench} and {Chatbot Arena}},
  author = {Zheng, Lianmin and Chiang, Wei-Lin and Sheng, Ying and Zhuang, Siyuan and Wu, Zhanghao and Zhuang, Yonghao and Lin, Zi and Li, Zhuohan and Li, Dacheng and Xing, Eric P. and Zhang, Hao and Gonzalez, Joseph E. and Stoica, Ion},
  booktitle = {Advances in Neural Information Processing Systems, Datasets and Benchmarks},
  year = {2023}
}'),
('eval-divergence', 'dutta2024', '@inproceedings{dutta2024,
  title = {Accuracy is Not All You Need},
  author = {Dutta, Abhinav and Krishnan, Sanjeev and Kwatra, Nipun and Ramjee, Ramachandran},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2024},
  note = {arXiv:2407.09141}
}'),
('wilson', 'wilson1927', '@article{wilson1927,
  title = {Probable Inference, the Law of Succession, and Statistical Inference},
  author = {Wilson, Edwin B.},
  journal = {Journal of the American Statistical Association},
  volume = {22}, number = {158}, pages = {209--212},
  year = {1927}
}'),
('mcnemar', 'mcnemar1947', '@article{mcnemar1947,
  title = {Note on the Sampling Error of the Difference between Correlated Proportions or Percentages},
  author = {McNemar, Quinn},
  journal = {Psychometrika},
  volume = {12}, number = {2}, pages = {153--157},
  year = {1947}
}'),
('holm', 'holm1979', '@article{holm1979,
  title = {A Simple Sequentially Rejective Multiple Test Procedure},
  author = {Holm, Sture},
  journal = {Scandinavian Journal of Statistics},
  volume = {6}, number = {2}, pages = {65--70},
  year = {1979}
}'))
SELECT r.entry || char(10) FROM reference AS r WHERE r.program IN (SELECT program FROM used) ORDER BY r.key
